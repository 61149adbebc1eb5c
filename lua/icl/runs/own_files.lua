-- runs/own_files.lua: the files that a run writes in its folder, which no other file is to take the place of.
local core = require "icl.core"
local runs = require "icl.runs"

local own_files = {}

local names = { "^options%.lua$", "^env%.txt$", "^log%.txt$", "^metrics%.jsonl$", "^weights%.safetensors$",
                "^events%.out%.tfevents" }

-- A path in its parts: that of the folder, and the name in it.
local function parts_of(path)
  local folder, name = path:match "^(.*)/+([^/]*)$"
  if not folder then return ".", path end
  return folder == "" and "/" or folder, name
end

-- The path behind links, also of a file that is not there yet.
local function behind_links(path)
  local folder, name = parts_of(path)
  return core.real_path(path) or (core.real_path(folder) or folder) .. "/" .. name
end

-- Does a path lie where a run writes it?
local function has_place(path)
  local folder, name = parts_of(path)
  local above, last = parts_of(folder)
  if last == "checkpoints" then return runs.is_run(above) end
  for _, pattern in ipairs(names) do
    if name:find(pattern) then return runs.is_run(folder) end
  end
  return false
end

-- own_files.check(name, ...) -> a check of options (options/list.lua) of these names, each a file that is to be
-- written: none is one of a run's own.
function own_files.check(...)
  local options = { ... }
  return function(values)
    for _, name in ipairs(options) do
      local path = values[name]
      if path and (has_place(path) or has_place(behind_links(path))) then
        return ("{%s} %s: a run keeps its own %s there, which is not written over; give another name"):format(name,
          core.printable(path), path:match "[^/]*$")
      end
    end
  end
end

return own_files
