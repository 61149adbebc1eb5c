-- json.lua: Lua values as JSON texts, and back.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local numbers = require "icl.internal.numbers"
local utf8_text = require "icl.internal.utf8_text"

local json = {}

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
                  ["\t"] = "\\t" }

local function string_text(text)
  local escaped = utf8_text(text):gsub('[%c"\\\127]', function(c)
    return escapes[c] or ("\\u%04x"):format(c:byte())
  end)
  return '"' .. escaped .. '"'
end

-- A number; JSON has no infinities and no NaN: they become null.
local function number_text(x)
  if x ~= x or x == math.huge or x == -math.huge then return "null" end
  local text = numbers.exact(x)
  return math.type(x) == "float" and text:find "^-?%d+$" and text .. ".0" or text
end

local Verbatim = {}

-- json.verbatim(text) -> a value of which icl.json.encode makes this text, which is JSON already.
function json.verbatim(text)
  return setmetatable({ text = text }, Verbatim)
end

local value_text

-- The items of a list; `open` has the tables that are being written.
local function list_text(list, open)
  local items, entries = {}, 0
  for i, item in ipairs(list) do items[i] = value_text(item, open) end
  for _ in pairs(list) do entries = entries + 1 end
  if entries > #items then fail "icl.json.encode: a list has a hole, or names beside its numbers" end
  return "[" .. table.concat(items, ",") .. "]"
end

local function object_text(object, open)
  local keys, members = {}, {}
  for key in pairs(object) do
    if type(key) ~= "string" then fail("icl.json.encode: a table has the key %s beside names", tostring(key)) end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  for i, key in ipairs(keys) do members[i] = string_text(key) .. ":" .. value_text(object[key], open) end
  return "{" .. table.concat(members, ",") .. "}"
end

function value_text(value, open)
  local kind = type(value)
  if kind == "string" then return string_text(value) end
  if kind == "number" then return number_text(value) end
  if kind == "nil" then return "null" end
  if kind == "boolean" then return tostring(value) end
  if getmetatable(value) == Verbatim then return value.text end
  if kind ~= "table" then fail("icl.json.encode: a %s has no form in JSON", kind) end
  if open[value] then fail "icl.json.encode: a table holds itself, which has no form in JSON" end
  open[value] = true
  local is_list = value[1] ~= nil or next(value) == nil
  local text = is_list and list_text(value, open) or object_text(value, open)
  open[value] = nil
  return text
end

-- icl.json.encode(value) -> text on one line. A table with an entry 1, or without entries, is a list; the names of
-- another one are sorted. Numbers that are not finite become null, floats stay
-- floats, 3.0, and bytes of texts that are no UTF-8 become U+FFFD.
function json.encode(value)
  return value_text(value, {})
end

-- icl.json.decode(text) -> the value: tables, strings, numbers, booleans; null is nil.
function json.decode(text)
  return core.json_decode(arguments.typed("icl.json.decode", text, "string", "a text"))
end

return json
