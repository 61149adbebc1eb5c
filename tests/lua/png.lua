-- png.lua: small PNG files for tests, uncompressed.
local png = {}

-- CRC-32 of a text.
local function crc32(text)
  local crc = 0xffffffff
  for i = 1, #text do
    crc = crc ~ text:byte(i)
    for _ = 1, 8 do crc = (crc >> 1) ~ (0xedb88320 & -(crc & 1)) end
  end
  return crc ~ 0xffffffff
end

local function adler32(text)
  local a, b = 1, 0
  for i = 1, #text do
    a = (a + text:byte(i)) % 65521
    b = (b + a) % 65521
  end
  return b << 16 | a
end

local function chunk(name, data)
  return (">I4"):pack(#data) .. name .. data .. (">I4"):pack(crc32(name .. data))
end

-- png.encode(height, width, pixel) -> the file of an image; pixel(y, x), counted from 0 -> red, green, blue.
function png.encode(height, width, pixel)
  local rows = {}
  for y = 0, height - 1 do
    local row = { "\0" }
    for x = 0, width - 1 do row[#row + 1] = string.char(pixel(y, x)) end
    rows[#rows + 1] = table.concat(row)
  end
  local raw = table.concat(rows)
  assert(#raw < 65536, "one block of data")
  local data = "\x78\x01\x01" .. ("<I2I2"):pack(#raw, ~#raw & 0xffff) .. raw .. (">I4"):pack(adler32(raw))
  return "\x89PNG\r\n\x1a\n" .. chunk("IHDR", (">I4I4"):pack(width, height) .. "\8\2\0\0\0") .. chunk("IDAT", data) ..
    chunk("IEND", "")
end

-- png.put(path, ...): encodes into a file.
function png.put(path, ...)
  local file = assert(io.open(path, "wb"))
  file:write(png.encode(...))
  file:close()
end

return png
