-- internal/recipes.lua: the recipes, which are files, and those that the program holds: where there is no file
-- recipes/NAME.lua, that of the program takes its place.
local core = require "icl.core"

local recipes = {}

-- recipes.names() -> the names of the recipes in the program, sorted.
function recipes.names()
  local names = {}
  for module in pairs(core.recipes()) do names[#names + 1] = module:match "[^.]*$" end
  table.sort(names)
  return names
end

-- recipes.path(name) -> the path that stands for a recipe of the program, or nil.
function recipes.path(name)
  return core.recipes()["recipes." .. name]
end

local function is_file(path)
  local file <close> = io.open(path)
  return file ~= nil
end

-- recipes.source(path) -> the text of a recipe of the program, or nil where there is none or a file stands before it.
function recipes.source(path)
  local name = path:match "^recipes/([%w_]+)%.lua$"
  return name and recipes.path(name) and not is_file(path) and core.source(path) or nil
end

-- recipes.load(path) -> the function that a recipe is; or nil and what is wrong with it.
function recipes.load(path)
  local text = recipes.source(path)
  if text then return load(text, "@" .. path, "t") end
  return loadfile(path)
end

return recipes
