-- internal/arguments.lua: checks of arguments: rules.lua as errors.
local core = require "icl.core"
local fail = require "icl.internal.fail"
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

-- `value` as the rule has it; an error naming `what` otherwise. `expected` describes what the rule takes; without it
-- the rule says what was wrong.
local function checked(what, value, rule, expected)
  local accepted, wrong = rules.check(rule, value)
  if accepted == nil then fail("%s is %s; it must be %s", what, rules.shown(value), expected or wrong) end
  return accepted
end

-- `value` if it is one of the list `choices`; an error that lists them otherwise.
function arguments.choice(what, value, choices)
  return checked(what, value, { type = "choice", choices = choices })
end

-- An integer of at least `least`.
function arguments.integer(what, value, least)
  return checked(what, value, { type = "integer", min = least }, ("an integer of at least %d"):format(least))
end

-- A number of at least `least`, as a float.
function arguments.number(what, value, least)
  return checked(what, value, { type = "float", min = least }, numbers.format("a number of at least %g", least))
end

-- A list of `count` numbers, one for each channel of an image.
function arguments.channels(what, value, count)
  local list = rules.check({ type = "list" }, value)
  if not list or #list ~= count then fail("%s must be a list of %d numbers, one for each channel", what, count) end
  return list
end

-- A copy of `given` in which what is missing comes from `defaults`. Every key must be one of `defaults` or of the list
-- `others` (options without a default). `what` names the function for messages.
function arguments.options(what, given, defaults, others)
  if given ~= nil and type(given) ~= "table" then
    fail("%s: options must be a table, not a %s", what, type(given))
  end
  local result, known = {}, arguments.names(defaults)
  for _, name in ipairs(others or {}) do known[#known + 1] = name end
  local set = {}
  for _, name in ipairs(known) do set[name] = true end
  for name, value in pairs(defaults) do result[name] = value end
  for name, value in pairs(given or {}) do
    if not set[name] then
      fail("%s: there is no option '%s'%s", what, tostring(name), arguments.suggestion(tostring(name), known))
    end
    result[name] = value
  end
  return result
end

return arguments
