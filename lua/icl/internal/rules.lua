-- internal/rules.lua: which values an argument or an option may have. A rule is { type =, min =, max =, below =,
-- choices = }, of which the last is for the type "choice"; the others are for numbers, and for the items of a list.
local core = require "icl.core"
local home = require "icl.internal.home"
local numbers = require "icl.internal.numbers"

local rules = {}

local booleans = { yes = true, no = false, ["true"] = true, ["false"] = false }

-- What each type of option takes: `expected` in words, read(text) for the command line, accept(value) for Lua; both
-- give nil for what they do not take.
local types = {
  integer = { expected = "an integer", read = numbers.read },
  float = { expected = "a finite number", read = numbers.read },
  boolean = { expected = "yes or no" },
  string = { expected = "a text" },
  path = { expected = "a path" },
  list = { expected = "a list of numbers such as 80,120" },
  flags = { expected = "a list such as yes,no,no" },
}

function types.integer.accept(value)
  return math.type(value) and math.tointeger(value) or nil
end

rules.types = { "integer", "float", "boolean", "string", "path", "list", "flags" }

-- rules.is_type(name) -> is there a type of that name?
function rules.is_type(name)
  return types[name] ~= nil or name == "choice"
end

-- Neither infinite nor NaN.
local function finite(value)
  return math.type(value) and value - value == 0 and value or nil
end

function types.float.accept(value)
  return finite(value) and value + 0.0
end

function types.boolean.read(text)
  return booleans[text]
end

function types.boolean.accept(value)
  if type(value) == "boolean" then return value end
end

function types.string.read(text)
  return text
end

function types.string.accept(value)
  return type(value) == "string" and value or nil
end

types.path.read = home

function types.path.accept(value)
  return type(value) == "string" and home(value) or nil
end

-- f applied to each item; nil if it gives nil for one.
local function map(list, f)
  local result = {}
  for i, item in ipairs(list) do
    local value = f(item)
    if value == nil then return nil end
    result[i] = value
  end
  return result
end

local function make_list(kind, read, accept)
  function kind.read(text)
    local items = {}
    for item in (text .. ","):gmatch "([^,]*)," do items[#items + 1] = item end
    return map(items, read)
  end
  function kind.accept(value)
    return type(value) == "table" and not core.list_fault(value) and map(value, accept) or nil
  end
end
make_list(types.list, numbers.read, finite)
make_list(types.flags, types.boolean.read, types.boolean.accept)

local function is_among(value, choices)
  for _, known in ipairs(choices) do
    if value == known then return true end
  end
  return false
end

local function check_choice(rule, value)
  if is_among(value, rule.choices) then return value end
  local hint = type(value) == "string" and core.suggestion(value, rule.choices) or ""
  return nil, (#rule.choices > 1 and "one of " or "") .. table.concat(rule.choices, ", ") .. hint
end

-- What a value, or an item of a list, breaks of the limits of a rule; nil if nothing.
local function broken_limit(rule, value)
  for _, item in ipairs(type(value) == "table" and value or { value }) do
    if rule.min and item < rule.min then return numbers.format("at least %s", rule.min) end
    if rule.max and item > rule.max then return numbers.format("at most %s", rule.max) end
    if rule.below and item >= rule.below then return numbers.format("less than %s", rule.below) end
  end
end

-- rules.check(rule, value) -> a value that is given in Lua, as its type has it; or nil and what it should have been:
-- "an integer", "at least 8".
function rules.check(rule, value)
  if rule.type == "choice" then return check_choice(rule, value) end
  local kind = types[rule.type]
  local accepted = kind.accept(value)
  local expected = accepted == nil and kind.expected or broken_limit(rule, accepted)
  if expected then return nil, expected end
  return accepted
end

-- rules.parse(rule, text) -> the same for a word of the command line.
function rules.parse(rule, text)
  if rule.type == "choice" then return check_choice(rule, text) end
  local kind = types[rule.type]
  local value = kind.read(text)
  if value == nil then return nil, kind.expected end
  return rules.check(rule, value)
end

local words = { [true] = "yes", [false] = "no" }

local function item_text(item)
  return words[item] or numbers.text(item)
end

-- rules.shown(value) -> a value as it would be typed.
function rules.shown(value)
  if type(value) ~= "table" then return numbers.text(value) end
  local items = {}
  for i, item in ipairs(value) do items[i] = item_text(item) end
  return table.concat(items, ",")
end

-- rules.exact(value) -> the same with all digits; equal values have equal texts, whether integers or floats.
function rules.exact(value)
  if type(value) == "number" then return numbers.exact(value) end
  if type(value) ~= "table" then return words[value] or value end
  local items = {}
  for i, item in ipairs(value) do items[i] = rules.exact(item) end
  return table.concat(items, ",")
end

return rules
