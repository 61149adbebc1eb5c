-- sinks/grid.lua: the images of a batch as one picture, eight in a row.
local ops = require "icl.core".ops

local IN_A_ROW, BORDER = 8, 2  -- images, pixels between them and around
local MOST = 1 << 21           -- pixels of a picture, about

-- Each image from 0 to 255 between its least and its largest value.
local function stretched(x)
  local least, largest = x:min({ 2, 3, 4 }, true), x:max({ 2, 3, 4 }, true)
  local range = (largest - least):maximum(1e-5)
  return ((x - least) / range * 255):cast "u8"
end

-- grid(x) -> the picture of images (n, height, width, channels), u8 (height, width, channels). Of a batch that would
-- make it too large, the first ones.
local function grid(x)
  local n, height, width, channels = table.unpack(x:shape())
  local row = IN_A_ROW * (height + BORDER) * (width + BORDER)
  n = math.min(n, IN_A_ROW * math.max(1, MOST // row))
  local columns = math.min(n, IN_A_ROW)
  local rows = -(-n // columns)
  local images = stretched(x:narrow(1, 1, n):cast "f32")
  local padded = ops.pad(images, { low = { 0, BORDER, BORDER, 0 }, high = { rows * columns - n, 0, 0, 0 } })
  local tiles = padded:reshape(rows, columns, height + BORDER, width + BORDER, channels):permute { 1, 3, 2, 4, 5 }
  local joined = tiles:reshape(rows * (height + BORDER), columns * (width + BORDER), channels)
  return ops.pad(joined, { low = { 0, 0, 0 }, high = { BORDER, BORDER, 0 } })
end

return grid
