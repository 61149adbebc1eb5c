-- internal/arguments.lua: checks of option tables, with a suggestion for a name that is nearly right.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = {}

-- arguments.suggestion(name, names) -> " (did you mean X?)" for the entry of the list `names` that `name` was most likely
-- meant to be, or "".
arguments.suggestion = core.suggestion

-- The keys of a table, sorted.
function arguments.names(table_of_names)
  local names = {}
  for name in pairs(table_of_names) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- `value` if it is one of the list `choices`; an error that lists them otherwise.
function arguments.choice(what, value, choices)
  for _, choice in ipairs(choices) do
    if value == choice then return value end
  end
  local hint = type(value) == "string" and arguments.suggestion(value, choices) or ""
  fail("%s is %s; it must be one of %s%s", what, tostring(value), table.concat(choices, ", "), hint)
end

-- An integer of at least `least`; an error naming `what` otherwise.
function arguments.integer(what, value, least)
  local integer = math.tointeger(value)
  if not integer or integer < least then
    fail("%s is %s; it must be an integer of at least %d", what, tostring(value), least)
  end
  return integer
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
