-- runs/find.lua: which run of a recipe is meant.
local core = require "icl.core"
local exists = require "icl.internal.exists"
local runs = require "icl.runs"

local find = {}

local names = { ["-"] = "stdin", ["-e"] = "code" }  -- of programs that are in no file

-- find.recipe_name(script) -> what the folder for the runs of a script is called, by arg[0].
function find.recipe_name(script)
  return names[script] or (script:match "([^/]*)$":gsub("%.lua$", ""))
end

-- find.folder_of(path) -> the folder of the run that a path means, and whether it is that of one of its checkpoints;
-- the folder of a checkpoint that lies elsewhere is nil.
function find.folder_of(path)
  if not path:find "%.safetensors$" then return (path:gsub("(.)/+$", "%1")), false end
  local inside = ("/" .. path):match "^(.*)/checkpoints/+[^/]+$"
  if inside then return inside == "" and "." or inside == "/" and "/" or inside:sub(2), true end
  if not path:find "/" and exists "../options.lua" then return "..", true end
  return nil, true
end

-- The checkpoints that a run's folder goes on from, the first one that can be read.
find.last_checkpoints = { "last", "previous" }

-- find.has_checkpoint(path) -> does what a path means hold a state to go on from, be it a damaged one? A run that ended
-- before its first save has none.
function find.has_checkpoint(path)
  local folder, is_file = find.folder_of(path)
  if is_file then return true end
  for _, name in ipairs(find.last_checkpoints) do
    if exists(("%s/checkpoints/%s.safetensors"):format(folder, name)) then return true end
  end
  return false
end

-- The numbers of the folders in a list of names, falling.
local function numbers_of(names)
  local list = {}
  for _, name in ipairs(names) do
    if name:find "^%d+$" then list[#list + 1] = name end
  end
  table.sort(list, function(a, b) return tonumber(a, 10) > tonumber(b, 10) end)
  return list
end

-- find.unfinished(recipe, preset) -> the folder of the newest run of a recipe, with that preset or without one, that
-- has not come to its end; or nil and a message.
function find.unfinished(recipe, preset)
  local above = ("%s/%s%s"):format(runs.root(), recipe, preset and "-" .. preset or "")
  for _, name in ipairs(numbers_of(core.list_folder(above) or {})) do
    local path = above .. "/" .. name
    local run = runs.read(path)
    if run and run.state ~= "finished" and run.state ~= "running" then return path end
  end
  return nil, ("there is no unfinished run in %s; without --resume a new one begins, and --resume DIR goes on with a "
    .. "finished one"):format(above)
end

return find
