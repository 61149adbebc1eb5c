-- run/plain.lua: Lua values as values that JSON holds, and back. What JSON has no form for, numbers that are not
-- finite, texts that are not UTF-8 and tables with other keys than names or 1, 2, ..., is a table with one name that
-- begins with a dollar sign.
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"

local plain = {}

local function hexadecimal(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function bytes_of(text)
  return (text:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

local numbers = { nan = 0 / 0, inf = math.huge, ["-inf"] = -math.huge }

local function packed_number(x)
  if x ~= x then return { ["$number"] = "nan" } end
  if x == math.huge then return { ["$number"] = "inf" } end
  if x == -math.huge then return { ["$number"] = "-inf" } end
  return x
end

local function packed_text(text)
  return utf8.len(text) and text or { ["$bytes"] = hexadecimal(text) }
end

-- "list", "object", or "table" for one with other keys.
local function kind_of(t)
  local count, placed, named = 0, true, true
  for key in pairs(t) do
    count = count + 1
    placed = placed and math.type(key) == "integer" and key >= 1 and key <= #t
    named = named and type(key) == "string" and utf8.len(key) ~= nil and key:sub(1, 1) ~= "$"
  end
  return placed and count == #t and "list" or named and "object" or "table"
end

local packed

-- The packed entries of a table, in an order that depends on the keys alone.
local function packed_entries(t, path, open)
  local list = {}
  for key, value in pairs(t) do
    local name = ("%s[%s]"):format(path, tostring(key))
    if type(key) ~= "string" and type(key) ~= "number" then
      fail("%s has the key %s; keys are texts and numbers", path, arguments.described(key))
    end
    list[#list + 1] = { packed(key, name, open), packed(value, name, open), key = key }
  end
  table.sort(list, function(a, b)
    if type(a.key) ~= type(b.key) then return type(a.key) == "number" end
    return a.key < b.key
  end)
  for _, entry in ipairs(list) do entry.key = nil end
  return { ["$table"] = list }
end

local function packed_table(t, path, open)
  if open[t] then fail("%s holds itself, which cannot be kept in a file", path) end
  open[t] = true
  local kind, result = kind_of(t), {}
  if kind == "table" then
    result = packed_entries(t, path, open)
  else
    for key, value in pairs(t) do result[key] = packed(value, ("%s.%s"):format(path, key), open) end
  end
  open[t] = nil
  return result
end

function packed(value, path, open)
  local kind = type(value)
  if kind == "number" then return packed_number(value) end
  if kind == "string" then return packed_text(value) end
  if kind == "table" then return packed_table(value, path, open) end
  if kind == "boolean" then return value end
  fail("%s is %s, which cannot be kept in a file; numbers, texts, true, false and tables of them can", path,
    arguments.described(value))
end

-- plain.pack(value, name) -> the value for JSON. `name` is what messages call it.
function plain.pack(value, name)
  return packed(value, name, {})
end

local function unpacked_table(list)
  local result = {}
  for _, entry in ipairs(list) do result[plain.unpack(entry[1])] = plain.unpack(entry[2]) end
  return result
end

-- plain.unpack(value) -> what was packed.
function plain.unpack(value)
  if type(value) ~= "table" then return value end
  if value["$number"] then return numbers[value["$number"]] end
  if value["$bytes"] then return bytes_of(value["$bytes"]) end
  if value["$table"] then return unpacked_table(value["$table"]) end
  local result = {}
  for key, item in pairs(value) do result[key] = plain.unpack(item) end
  return result
end

return plain
