-- commands/devices.lua: `icl devices`: what can compute here, and why something cannot.
local core = require "icl.core"
local icl = require "icl"
local grid = require "icl.internal.grid"
local json = require "icl.json"

local options = icl.options "icl devices: what can compute here, by the names that --device takes"
  : flag("json", false, "print JSON")

-- words: those of the command line behind `devices`.
return function(words)
  words[0] = "icl devices"
  local opt = options:parse(words)
  local list = core.devices()
  if opt.json then
    print(json.encode(list))
    return
  end
  local rows = { { "device", "", "" } }
  for _, device in ipairs(list) do
    rows[#rows + 1] = { device.name, device.usable and "usable" or "not usable", device.text }
  end
  io.stdout:write(grid(rows), "\n")
end
