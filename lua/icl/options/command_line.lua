-- options/command_line.lua: the words of a command line as values of options.
local arguments = require "icl.internal.arguments"
local help = require "icl.options.help"
local resumed = require "icl.options.resumed"
local rules = require "icl.internal.rules"

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
  local spec = list.specs[name]
  if spec then return spec, true end
  spec = list.specs[name:match "^no_(.+)$"]
  if spec and spec.type == "boolean" then return spec, false end
  return nil
end

local function unknown(list, word)
  if word:sub(1, 2) ~= "--" then return ("'%s' is not an option; options begin with --"):format(word) end
  local words = { "--help", "--preset", "--list-presets" }
  for _, name in ipairs(list:names()) do
    words[#words + 1] = flag_name(name)
    if list.specs[name].type == "boolean" then words[#words + 1] = "--no-" .. flag_name(name):sub(3) end
  end
  return ("there is no option %s%s; --help lists them"):format(word, arguments.suggestion(word, words))
end

-- Walks through the words of a command line and calls on_option(spec, value), on_preset(name). nil and a message on
-- failure; "help" or "list_presets" where one of these is asked for.
local function walk(list, words, on_option, on_preset)
  local i = 1
  while i <= #words do
    local word, inline = words[i]:match "^(%-%-[^=]+)=(.*)$"
    word = word or words[i]
    local function argument(optional)
      if inline then return inline end
      if optional and (words[i + 1] or "-"):sub(1, 1) == "-" then return "" end
      i = i + 1
      return words[i]
    end
    if word == "--help" or word == "-h" then return "help" end
    if word == "--list-presets" then return "list_presets" end
    if word == "--preset" then
      local name = argument()
      if not name then return nil, "--preset needs a name; --list-presets lists them" end
      on_preset(name)
    else
      local spec, flag = find(list, word)
      if not spec then return nil, unknown(list, word) end
      if spec.type == "boolean" then
        if inline then return nil, ("%s takes no value; there are %s and --no-%s"):format(word, word, word:sub(3)) end
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
  return "ok"
end

-- read(list, words) -> table of the values of a list of options, and where they came from, { list =, given =,
-- presets =, notes = }; or nil and a message about what is wrong; or false and the text that was asked for.
local function read(list, words)
  local given, chosen = {}, {}
  local outcome, message = walk(list, words, function(spec, value) given[spec.name] = value end,
    function(name) chosen[#chosen + 1] = name end)
  if not outcome then return nil, message end
  if outcome == "help" then return false, help.text(list) end
  if outcome == "list_presets" then return false, help.presets(list) end
  if given.resume then return resumed(list, words[0], given, chosen) end
  local base = list:defaults()
  for _, name in ipairs(chosen) do
    local preset = list.presets[name]
    if not preset then
      return nil, ("there is no preset '%s'%s; --list-presets lists them"):format(name,
        arguments.suggestion(name, list.preset_order))
    end
    for key, value in pairs(preset.values) do base[key] = value end
  end
  local result, notes = list:settle(base, given)
  local problem = list:unmet(result, given, true) or list:problem(result, true)
  if problem then return nil, problem end
  return result, { list = list, given = given, presets = chosen, notes = notes }
end

return read
