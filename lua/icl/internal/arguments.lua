-- internal/arguments.lua: checks of arguments: rules.lua as errors.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local home = require "icl.internal.home"
local numbers = require "icl.internal.numbers"
local rules = require "icl.internal.rules"

local arguments = {}

-- arguments.suggestion(name, names) -> " (did you mean X?)" for the entry of the list `names` that `name` was most
-- likely meant to be, or "".
arguments.suggestion = core.suggestion

-- The keys of a table, sorted.
function arguments.names(table_of_names)
  local names = {}
  for name in pairs(table_of_names) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- `value` as the rule has it; an error naming `what` otherwise, in which {name} stands for an option. `expected`
-- describes what the rule takes; without it the rule says what was wrong.
local function checked(what, value, rule, expected)
  local accepted, wrong = rules.check(rule, value)
  if accepted ~= nil then return accepted end
  local is_text = type(value) == "string" and rule.type ~= "choice"  -- '2', which is no number
  local takes_list = rule.type == "list" or rule.type == "flags"
  local is_no_list = type(value) == "table" and (#value == 0 or not takes_list)
  local given = (is_text or is_no_list) and core.describe_value(value) or rules.shown(value)
  fail(what:gsub("%%", "%%%%") .. " is %s; it must be %s", given, expected or wrong)
end

-- What a message calls a value: 3, 'text', a table, a conv2d.
arguments.described = core.describe_value

-- `value` if it is one of the list `choices`; an error that lists them otherwise.
function arguments.choice(what, value, choices)
  return checked(what, value, { type = "choice", choices = choices })
end

-- An integer of at least `least`, and of at most `most` if that is given.
function arguments.integer(what, value, least, most)
  local range = most and "an integer from %d to %d" or "an integer of at least %d"
  return checked(what, value, { type = "integer", min = least, max = most }, range:format(least, most))
end

local LARGEST = 1 << 24  -- layers that are larger do not exist

-- How large something is: an integer from 1.
function arguments.size(what, value)
  return arguments.integer(what, value, 1, LARGEST)
end

-- A height and a width, each an integer of at least `least`, from { height, width } or a number for both; -> a list.
-- `most` is 2^15 unless given.
function arguments.pair(what, value, least, most)
  most = most or 1 << 15
  if type(value) ~= "table" then
    value = arguments.integer(what, value, least, most)
    return { value, value }
  end
  local fault = core.list_fault(value)
  if fault then fail("%s: %s", what, fault) end
  if #value ~= 2 then fail("%s is a list of %d; it must be an integer or { height, width }", what, #value) end
  return { arguments.integer(what, value[1], least, most), arguments.integer(what, value[2], least, most) }
end

-- A text that says where a file is; ~/ at its beginning is the home folder.
function arguments.path(what, value)
  if type(value) ~= "string" or value == "" then
    fail("%s: a path is needed%s", what, value == nil and "" or (", not %s"):format(arguments.described(value)))
  end
  return home(value)
end

-- A tensor or state.
function arguments.tensor(what, value)
  if type(value) ~= "userdata" then fail("%s is %s; it must be a tensor", what, arguments.described(value)) end
  return value
end

-- A value of a type of Lua, "table" or "function"; `expected` says what it is for.
function arguments.typed(what, value, kind, expected)
  if type(value) ~= kind then fail("%s: it takes %s, not %s", what, expected, arguments.described(value)) end
  return value
end

-- An error if `...` holds arguments beyond those that the function `what` takes, which `taken` lists: "a shape".
function arguments.no_more(what, taken, ...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if value ~= nil then
      fail("%s: %s is an argument too many; it takes %s", what, arguments.described(value), taken)
    end
  end
end

-- A number of at least `least`, and of at most `most` if that is given, as a float.
function arguments.number(what, value, least, most)
  local range = most and numbers.format("a number from %g to %g", least, most)
    or numbers.format("a number of at least %g", least)
  return checked(what, value, { type = "float", min = least, max = most }, range)
end

-- A finite number, as a float.
function arguments.finite(what, value)
  return checked(what, value, { type = "float" })
end

-- true or false.
function arguments.boolean(what, value)
  checked(what, value, { type = "boolean" }, "true or false")
  return value
end

-- A list of `count` numbers, one for each channel of an image; of deviations, which are divided by, of at least 1e-6.
function arguments.channels(what, value, count, are_deviations)
  local list = rules.check({ type = "list" }, value)
  if not list or #list ~= count then fail("%s must be a list of %d numbers, one for each channel", what, count) end
  return are_deviations and checked(what, list, { type = "list", min = 1e-6 }) or list
end

-- A list of `count` texts, one for each class.
function arguments.class_names(what, value, count)
  arguments.typed(what, value, "table", "a list of texts")
  local fault = core.list_fault(value)
  if fault then fail("%s: %s; it takes a list of texts", what, fault) end
  if #value ~= count then fail("%s: there are %d names, but %d classes", what, #value, count) end
  for i, name in ipairs(value) do arguments.typed(("%s: name %d"):format(what, i), name, "string", "a text") end
  return value
end

-- What may have been meant; where nothing is like the name and there are few, all that there are.
local function hint(name, known)
  local suggestion = arguments.suggestion(name, known)
  if suggestion ~= "" or #known == 0 or #known > 10 then return suggestion end
  return "; there " .. (#known == 1 and "is " or "are ") .. table.concat(known, ", ")
end

-- A copy of `given` in which what is missing comes from `defaults`. Every key must be one of `defaults` or of the list
-- `others` (options without a default); one whose default is true or false must be one of these. `what` names the
-- function for messages.
function arguments.options(what, given, defaults, others)
  if given ~= nil and type(given) ~= "table" then
    fail("%s: options must be a table, not %s", what, arguments.described(given))
  end
  local result, known = {}, arguments.names(defaults)
  for _, name in ipairs(others or {}) do known[#known + 1] = name end
  local set = {}
  for _, name in ipairs(known) do set[name] = true end
  for name, value in pairs(defaults) do result[name] = value end
  for name, value in pairs(given or {}) do
    if not set[name] then
      fail("%s: there is no option '%s'%s", what, tostring(name), hint(tostring(name), known))
    end
    if type(defaults[name]) == "boolean" then arguments.boolean(("%s: %s"):format(what, name), value) end
    result[name] = value
  end
  return result
end

return arguments
