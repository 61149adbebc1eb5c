-- export/protobuf.lua: messages of Protocol Buffers as bytes: fields by number, in the order in which they are given.
local protobuf = {}

local VARINT, BYTES, FIXED32 = 0, 2, 5  -- kinds of fields

-- An integer in groups of 7 bits, the lowest first; a negative one as 64 bits.
local function varint(value)
  local bytes = {}
  repeat
    local group = value & 0x7f
    value = value >> 7
    bytes[#bytes + 1] = string.char(value ~= 0 and group | 0x80 or group)
  until value == 0
  return table.concat(bytes)
end

local function tag(number, kind)
  return varint(number << 3 | kind)
end

-- protobuf.integer(number, value), protobuf.float(number, value), protobuf.bytes(number, text): a field. A message in a
-- message is one of bytes.
function protobuf.integer(number, value)
  return tag(number, VARINT) .. varint(value)
end

function protobuf.float(number, value)
  return tag(number, FIXED32) .. string.pack("<f", value)
end

function protobuf.bytes(number, text)
  return tag(number, BYTES) .. varint(#text) .. text
end

-- protobuf.integers(number, list): a repeated field, packed.
function protobuf.integers(number, list)
  local parts = {}
  for i, value in ipairs(list) do parts[i] = varint(value) end
  return protobuf.bytes(number, table.concat(parts))
end

return protobuf
