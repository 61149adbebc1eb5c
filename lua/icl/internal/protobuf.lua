-- internal/protobuf.lua: fields of Protocol Buffers' messages as bytes; a message is its fields one after the other.
local utf8_text = require "icl.internal.utf8_text"

local protobuf = {}

local VARINT, WORD64, LENGTH, WORD32 = 0, 1, 2, 5  -- what follows the key of a field

-- Seven bits a byte, the lowest first; a negative number as one of 64 bits.
local function varint(n)
  local bytes = {}
  while n < 0 or n > 127 do
    bytes[#bytes + 1] = string.char(n & 127 | 128)
    n = n >> 7
  end
  return table.concat(bytes) .. string.char(n)
end

local function key(field, kind)
  return varint(field << 3 | kind)
end

-- protobuf.integer(field, n) -> the bytes of a field: int32, int64, an enumeration, or a boolean as 0 or 1.
function protobuf.integer(field, n)
  return key(field, VARINT) .. varint(n)
end

-- protobuf.double(field, x), protobuf.float(field, x)
function protobuf.double(field, x)
  return key(field, WORD64) .. ("<d"):pack(x)
end

function protobuf.float(field, x)
  return key(field, WORD32) .. ("<f"):pack(x)
end

-- protobuf.bytes(field, text): bytes, or a message that is part of another one.
function protobuf.bytes(field, text)
  return key(field, LENGTH) .. varint(#text) .. text
end

-- protobuf.text(field, text): a string, of which readers refuse what is no UTF-8.
function protobuf.text(field, text)
  return protobuf.bytes(field, utf8_text(text))
end

-- protobuf.doubles(field, list): a repeated double, packed.
function protobuf.doubles(field, list)
  return protobuf.bytes(field, ("<" .. ("d"):rep(#list)):pack(table.unpack(list)))
end

-- protobuf.integers(field, list): a repeated integer, packed.
function protobuf.integers(field, list)
  local parts = {}
  for i, n in ipairs(list) do parts[i] = varint(n) end
  return protobuf.bytes(field, table.concat(parts))
end

return protobuf
