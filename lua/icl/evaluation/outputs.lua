-- evaluation/outputs.lua: the files that a command is to write beside the one that it reads.
local core = require "icl.core"
local fail = require "icl.internal.fail"

local outputs = {}

local function plain(path)
  return (path:gsub("//+", "/"):gsub("/%./", "/"):gsub("^%./", ""))
end

local function is_same(path, other)
  return plain(path) == plain(other) or core.file_same(path, other)
end

-- An error where there is no folder for a file.
local function check_folder(name, path)
  local folder = path:match "^(.*)/[^/]*$" or "."
  if core.file_kind(folder == "" and "/" or folder) ~= "folder" then
    fail("{" .. name .. "} %s: there is no folder %s", core.printable(path), core.printable(folder))
  end
end

-- outputs.check(source_path, opt, names): an error before any work is done where one file would have two of the names
-- of options `names`, or is the file that is read, and so would be lost; or where it cannot be written for want of a
-- folder.
function outputs.check(source_path, opt, names)
  local taken = {}
  for _, name in ipairs(names) do
    local path = opt[name]
    if path == "" then fail("{" .. name .. "}: the name of a file is needed") end
    if path and is_same(path, source_path) then
      fail("{" .. name .. "} %s: it is the file that is read; give another name", path)
    end
    for _, other in ipairs(path and taken or {}) do
      if is_same(path, opt[other]) then fail("{" .. other .. "} and {" .. name .. "} name one file, %s", path) end
    end
    if path then
      check_folder(name, path)
      taken[#taken + 1] = name
    end
  end
end

return outputs
