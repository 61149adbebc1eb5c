-- rerun.lua: icl.rerun, which a run's options.lua calls: the same recipe with the same options again.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local recipes = require "icl.internal.recipes"
local rules = require "icl.internal.rules"

-- The words that stand for options.
local function words_of(options)
  local words = {}
  for _, name in ipairs(arguments.names(options)) do
    local value, switch = options[name], name:gsub("_", "-")
    if type(value) == "boolean" then
      words[#words + 1] = (value and "--" or "--no-") .. switch
    else
      words[#words + 1] = ("--%s=%s"):format(switch, rules.exact(value))
    end
  end
  return words
end

-- icl.rerun { recipe = path, options = { name = value } or arguments = { words } [, preset =, result =] }: runs a
-- recipe with these options. Words behind `icl options.lua` on the command line come after them; options give way to
-- them, also where they mean nothing beside them.
local function rerun(given)
  given = arguments.options("icl.rerun", given, {}, { "recipe", "preset", "result", "arguments", "options" })
  local path = arguments.path("icl.rerun: recipe", given.recipe)
  local words = given.options and words_of(given.options) or table.move(given.arguments or {}, 1,
    #(given.arguments or {}), 1, {})
  for _, name in ipairs { "result", "preset" } do
    if given[name] then table.insert(words, 1, ("--%s=%s"):format(name, given[name])) end
  end
  if path == "-" or path == "-e" then
    fail("icl.rerun: the program came from %s, and is in no file that could be run again",
      path == "-" and "standard input" or "the command line")
  end
  local chunk, message = recipes.load(path)
  if not chunk then
    fail("icl.rerun: %s; the recipe is looked for from the folder where the run was begun, see env.txt", message)
  end
  local own = arg or {}
  if given.options then words[#words + 1] = "--but" end
  table.move(own, 1, #own, #words + 1, words)
  for i, word in pairs(own) do
    if i < 0 then words[i] = word end
  end
  words[0] = path
  arg = words
  return chunk(table.unpack(words))
end

return rerun
