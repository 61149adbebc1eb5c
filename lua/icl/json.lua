-- json.lua: Lua values as JSON texts. Reading is core.json_decode.
local fail = require "icl.internal.fail"
local numbers = require "icl.internal.numbers"

local json = {}

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
                  ["\t"] = "\\t" }

local function string_text(text)
  return '"' .. text:gsub('[%c"\\\127]', function(c) return escapes[c] or ("\\u%04x"):format(c:byte()) end) .. '"'
end

-- A number; JSON has no infinities and no NaN: they become null.
local function number_text(x)
  if math.type(x) == "integer" then return ("%d"):format(x) end
  if x ~= x or x == math.huge or x == -math.huge then return "null" end
  local short = numbers.format("%.15g", x)
  return tonumber(short) == x and short or numbers.format("%.17g", x)
end

local encode

local function list_text(list)
  local items = {}
  for i, item in ipairs(list) do items[i] = encode(item) end
  return "[" .. table.concat(items, ",") .. "]"
end

local function object_text(object)
  local keys, members = {}, {}
  for key in pairs(object) do
    if type(key) ~= "string" then fail("json.encode: a table has the key %s beside names", tostring(key)) end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  for i, key in ipairs(keys) do members[i] = string_text(key) .. ":" .. encode(object[key]) end
  return "{" .. table.concat(members, ",") .. "}"
end

-- json.encode(value) -> text on one line. A table with an entry 1, or without entries, is a list; the names of another
-- one are sorted.
function json.encode(value)
  local kind = type(value)
  if kind == "string" then return string_text(value) end
  if kind == "number" then return number_text(value) end
  if kind == "nil" then return "null" end
  if kind == "boolean" then return tostring(value) end
  if kind ~= "table" then fail("json.encode: a %s has no form in JSON", kind) end
  return (value[1] ~= nil or next(value) == nil) and list_text(value) or object_text(value)
end
encode = json.encode

return json
