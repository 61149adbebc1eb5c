-- options/rules.lua: which values an option may have, from text and from Lua. Functions return the value, or nil and
-- what it should have been: "an integer", "at least 8".
local arguments = require "icl.internal.arguments"

local rules = {}

local booleans = { yes = true, no = false, ["true"] = true, ["false"] = false }

-- What each type of option takes: `expected` in words, read(text) for the command line, accept(value) for Lua; both
-- give nil for what they do not take.
local types = {
  integer = { expected = "an integer", read = tonumber },
  float = { expected = "a number", read = tonumber },
  boolean = { expected = "yes or no" },
  string = { expected = "a text" },
  list = { expected = "a list of numbers such as 80,120" },
  flags = { expected = "a list such as yes,no,no" },
}

function types.integer.accept(value)
  return math.type(value) and math.tointeger(value) or nil
end

function types.float.accept(value)
  return math.type(value) and value == value and value + 0.0 or nil
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
    return type(value) == "table" and map(value, accept) or nil
  end
end
make_list(types.list, tonumber, function(value) return math.type(value) and value or nil end)
make_list(types.flags, types.boolean.read, types.boolean.accept)

local function check_choice(spec, value)
  for _, known in ipairs(spec.choices) do
    if value == known then return value end
  end
  local hint = type(value) == "string" and arguments.suggestion(value, spec.choices) or ""
  return nil, (#spec.choices > 1 and "one of " or "") .. table.concat(spec.choices, ", ") .. hint
end

-- What a value, or an item of a list, breaks of the limits of the option; nil if nothing.
local function broken_limit(spec, value)
  for _, item in ipairs(type(value) == "table" and value or { value }) do
    if spec.min and item < spec.min then return ("at least %s"):format(spec.min) end
    if spec.max and item > spec.max then return ("at most %s"):format(spec.max) end
  end
end

-- rules.check(spec, value): the value of an option that is given in Lua.
function rules.check(spec, value)
  if spec.type == "choice" then return check_choice(spec, value) end
  local kind = types[spec.type]
  local accepted = kind.accept(value)
  local expected = accepted == nil and kind.expected or broken_limit(spec, accepted)
  if expected then return nil, expected end
  return accepted
end

-- rules.parse(spec, text): the value that a word of the command line means.
function rules.parse(spec, text)
  if spec.type == "choice" then return check_choice(spec, text) end
  local kind = types[spec.type]
  local value = kind.read(text)
  if value == nil then return nil, kind.expected end
  return rules.check(spec, value)
end

return rules
