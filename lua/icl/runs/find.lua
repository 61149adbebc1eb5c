-- runs/find.lua: which run of a recipe is meant.
local core = require "icl.core"
local runs = require "icl.runs"

local find = {}

-- find.unfinished(recipe, preset) -> the folder of the newest run of a recipe, with that preset or without one, that
-- has not come to its end; or nil and a message.
function find.unfinished(recipe, preset)
  local above = ("%s/%s%s"):format(runs.root(), recipe, preset and "-" .. preset or "")
  local names = core.list_folder(above) or {}
  for i = #names, 1, -1 do
    local path = above .. "/" .. names[i]
    local run = names[i]:find "^%d+$" and runs.read(path)
    if run and run.state ~= "finished" and run.state ~= "running" then return path end
  end
  return nil, ("there is no unfinished run in %s; without --resume a new one begins, and --resume DIR goes on with a "
    .. "finished one"):format(above)
end

return find
