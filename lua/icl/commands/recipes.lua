-- commands/recipes.lua: `icl recipes`: the recipes that the program has inside, for icl train NAME.
local core = require "icl.core"
local recipes = require "icl.internal.recipes"

local text = [[
icl recipes: the recipes that the program has inside
  icl train NAME [arguments]   runs one of them; a file recipes/NAME.lua of the current folder comes first
  icl train NAME --help        what it can be told
  icl recipes NAME             its text, to begin one of your own from

]]

-- What the first line of a recipe says about it.
local function about(name)
  return core.source(recipes.path(name)):match "^%-%- [%w_]+%.lua: ([^\n]*)" or ""
end

return function(words)
  local name = words[1]
  if words[2] then
    io.stderr:write(("icl recipes: '%s' is one name too many\n"):format(core.printable(words[2])))
    return 2
  end
  if name and name ~= "--help" and name ~= "-h" then
    local path = recipes.path(name)
    if not path then
      io.stderr:write(("icl recipes: there is no recipe '%s'%s\n"):format(core.printable(name),
        require "icl.internal.arguments".suggestion(name, recipes.names())))
      return 2
    end
    io.stdout:write(core.source(path))
    return 0
  end
  io.stdout:write(text)
  for _, each in ipairs(recipes.names()) do io.stdout:write(("  %-18s %s\n"):format(each, about(each))) end
end
