-- options/command_line.lua: the words of a command line as values of options.
local arguments = require "icl.internal.arguments"
local help = require "icl.options.help"
local numbers = require "icl.internal.numbers"
local results = require "icl.options.results"
local resumed = require "icl.options.resumed"
local rules = require "icl.internal.rules"
local runs = require "icl.runs"
local usage = require "icl.internal.usage"

local function flag_name(name)
  return "--" .. name:gsub("_", "-")
end

-- The value that `text` means for an option, or nil and a message.
local function value_of(spec, text)
  local value, expected = rules.parse(spec, text)
  if expected then return nil, ("%s %s: it must be %s"):format(flag_name(spec.name), text, expected) end
  return value
end

-- The option of a word such as "--no-flip": its description and, for flags, the value it stands for.
local function find(list, word)
  local name = word:sub(3):gsub("-", "_")
  local spec = list.specs[name] or list.aliases[name]
  if spec then return spec, true end
  spec = list.specs[name:match "^no_(.+)$"]
  if spec and spec.type == "boolean" then return spec, false end
  return nil
end

local function unknown(list, word)
  if word:sub(1, 2) ~= "--" then return ("'%s' is not an option; options begin with --"):format(word) end
  local words = {}
  for i, entry in ipairs(help.common(list)) do words[i] = entry.word end
  for _, name in ipairs(list:names()) do
    words[#words + 1] = flag_name(name)
    if list.specs[name].type == "boolean" then words[#words + 1] = "--no-" .. flag_name(name):sub(3) end
  end
  return ("there is no option %s%s; --help lists them"):format(word, arguments.suggestion(word, words))
end

-- ---- words that all lists take ----

-- The published figures, and what runs of the same recipe reached.
local function results_text(list, words)
  local own, recipe = {}, (words[0] or ""):match "[^/]*$"
  for _, run in ipairs(#list.cells > 0 and runs.list() or {}) do
    if run.recipe and run.recipe:match "[^/]*$" == recipe then own[#own + 1] = run end
  end
  return results.tables(list, own)
end

-- Words that are answered by a text.
local answers = {
  ["--help"] = help.text, ["-h"] = help.text, ["--list-presets"] = help.presets, ["--list-results"] = results_text,
}

local LARGEST_COUNT = 1000

-- The seeds that a text means: 3 -> 0, 1, 2; 1,2,7 -> these. nil and a message for others.
local function seeds_of(text)
  local list, seen = rules.parse({ type = "list", min = 0 }, text) or {}, {}
  for i, seed in ipairs(list) do
    seed = math.tointeger(seed)
    if not seed or seen[seed] then list = {} break end
    list[i], seen[seed] = seed, true
  end
  if #list == 1 and list[1] >= 1 and list[1] <= LARGEST_COUNT then return numbers.sequence(list[1]) end
  if #list > 1 then return list end
  return nil, ("--seeds %s: it must be how many, 1 to %d, or a list of different seeds such as 1,2,7"):format(text,
    LARGEST_COUNT)
end

-- Words that take an argument: `needs` is what is said where it is missing; take(list, argument) -> values of options,
-- and what is remembered of it; or nil and a message.
local choices = {
  ["--preset"] = { needs = "a name; --list-presets lists them", take = function(list, name)
    local preset = list.presets[name]
    if preset then return preset.values, name end
    if #list.preset_order == 0 then return nil, ("--preset %s: there are no presets"):format(name) end
    return nil, ("there is no preset '%s'%s; --list-presets lists them"):format(name,
      arguments.suggestion(name, list.preset_order))
  end },
  ["--result"] = { needs = "a name; --list-results lists them", take = function(list, name)
    local cell, message = results.find(list, name)
    if cell then return cell.values, cell.name end
    return nil, message
  end },
  ["--seeds"] = { needs = "how many, or a list such as 1,2,7", take = function(list, text)
    if not list.specs.seed then return nil, "there is no option --seeds, since there is no --seed" end
    local seeds, message = seeds_of(text)
    return seeds and {}, seeds or message
  end },
}

-- Walks through the words of a command line and calls on_option(spec, value), on_choice(word, argument, index of the
-- first and of the last of its words), on_but(). nil and a message on failure; false and a text where one is asked for.
local function walk(list, words, on_option, on_choice, on_but)
  local i = 1
  while i <= #words do
    local first = i
    local word, inline = words[i]:match "^(%-%-[^=]+)=(.*)$"
    word = word or words[i]
    local function argument(optional)
      if inline then return inline end
      if optional and (words[i + 1] or "-"):sub(1, 1) == "-" then return "" end
      i = i + 1
      return words[i]
    end
    if answers[word] then return false, answers[word](list, words) end
    if words[i] == "--but" then
      on_but()
    elseif choices[word] then
      local text = argument()
      if not text then return nil, ("%s needs %s"):format(word, choices[word].needs) end
      on_choice(word, text, first, i)
    else
      local spec, flag = find(list, word)
      if not spec then return nil, unknown(list, word) end
      if spec.type == "boolean" then
        if inline or rules.parse(spec, words[i + 1] or "") ~= nil then
          local on = flag_name(spec.name)
          return nil, ("%s takes no value; there are %s and --no-%s"):format(word, on, on:sub(3))
        end
        on_option(spec, flag)
      else
        local text = argument(spec.optional)
        if not text then return nil, ("%s needs a value"):format(word) end
        local value, message = value_of(spec, text)
        if value == nil then return nil, message end
        on_option(spec, value)
      end
    end
    i = i + 1
  end
  return true
end

-- What is left of the words without those of --seeds.
local function without(words, dropped)
  local rest = {}
  for i, word in ipairs(words) do
    if not dropped[i] then rest[#rest + 1] = word end
  end
  return rest
end

-- Applies what was chosen in this order, a list of { word =, text = } and { weaker = values of options in front of
-- --but }; -> the values that stand behind those that are given, and what was taken by word; or nil and a message.
local function choose(list, chosen)
  local base, seen, taken = list:defaults(), {}, { ["--preset"] = {}, ["--result"] = {}, ["--seeds"] = {} }
  for _, choice in ipairs(chosen) do
    local word, values, what = choice.word, choice.weaker, nil
    if values then
      seen = {}
    else
      values, what = choices[word].take(list, choice.text)
      if not values then return nil, what end
      if seen[word] and word ~= "--preset" then return nil, word .. " is there twice; it can be given once" end
      taken[word], seen[word] = seen[word] and taken[word] or {}, true
      table.insert(taken[word], what)
    end
    for key, value in pairs(values) do base[key] = value end
  end
  return base, taken
end

-- Adds what stands in front of the recipe's name, if the list has these options of the engine as well.
local function add_leading(list, given)
  local group, values = usage.leading()
  for name, value in pairs(values or {}) do
    local spec = list.specs[name]
    if given[name] == nil and spec and spec.group == group then given[name] = value end
  end
end

-- read(list, words) -> table of the values of a list of options, and where they came from, { list =, given =,
-- presets = names, result = name, notes =, seeds = list, words = those without --seeds }; or nil and a message about
-- what is wrong; or false and the text that was asked for. words[0], if it is there, names the recipe.
local function read(list, words)
  local given, chosen, dropped = {}, {}, {}
  local outcome, message = walk(list, words, function(spec, value) given[spec.name] = value end,
    function(word, text, first, last)
      chosen[#chosen + 1] = { word = word, text = text }
      for i = first, last do dropped[i] = word == "--seeds" end
    end,
    function()
      chosen[#chosen + 1] = { weaker = given }
      given = {}
    end)
  if not outcome then return outcome, message end
  local base, taken = choose(list, chosen)
  if not base then return nil, taken end
  add_leading(list, given)
  if given.resume and #taken["--seeds"] > 0 then
    return nil, "--seeds means nothing with --resume; --resume DIR/seed-N goes on with the run of one seed"
  end
  if given.resume then return resumed(list, words[0], given, taken["--preset"][1], taken["--result"][1]) end
  local result, notes = list:settle(base, given)
  local problem = list:unmet(result, given, true) or list:problem(result, true)
  if problem then return nil, problem end
  return result, { list = list, given = given, presets = taken["--preset"], result = taken["--result"][1],
                   notes = notes, seeds = taken["--seeds"][1], words = without(words, dropped) }
end

return read
