-- internal/arguments.lua: checks of option tables, with a suggestion for a name that is nearly right.
local fail = require "icl.internal.fail"
local arguments = {}

-- Edit distance of two short strings: letters inserted, left out, changed, or exchanged with their neighbours
-- (Levenshtein, Damerau).
local function distance(a, b)
  local rows = { [0] = {} }
  for j = 0, #b do rows[0][j] = j end
  for i = 1, #a do
    local row, above = { [0] = i }, rows[i - 1]
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], rows[i - 2][j - 2] + 1)
      end
    end
    rows[i] = row
  end
  return rows[#a][#b]
end

-- The entry of `names` (a list) that `name` was most likely meant to be, or nil.
function arguments.closest(name, names)
  local best, best_distance = nil, math.max(1, #name // 3) + 1
  for _, candidate in ipairs(names) do
    local d = distance(name, candidate)
    if candidate:sub(1, #name) == name then d = math.min(d, 1) end
    if d < best_distance then best, best_distance = candidate, d end
  end
  return best
end

-- " (did you mean X?)", or nothing.
function arguments.suggestion(name, names, prefix)
  local closest = arguments.closest(name, names)
  return closest and (" (did you mean %s%s?)"):format(prefix or "", closest) or ""
end

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
