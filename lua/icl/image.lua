-- image.lua: single images: u8 tensors (height, width, 3) of red, green and blue.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"

local image = {}

-- icl.image.read(path) -> the image of a JPEG or PNG file, u8 (height, width, 3). Grey is repeated, alpha dropped.
function image.read(path)
  return core.image_read(arguments.path("icl.image.read", path))
end

local LARGEST = 16384  -- pixels of a side

-- Height and width that `size` means for an image: { height, width }, or a number for the shorter side.
local function sizes(x, size)
  if type(size) == "table" then return table.unpack(arguments.pair("icl.image.resize: size", size, 1, LARGEST)) end
  size = arguments.integer("icl.image.resize: size", size, 1, LARGEST)
  local height, width = x:size(1), x:size(2)
  local shorter = math.min(height, width)
  return size * height // shorter, size * width // shorter
end

-- The first position and the length of a box along an axis of `size` pixels.
local function range(name, first, length, size)
  local what = "icl.image.resize: " .. name .. " of the box"
  if math.type(first) and first < 0 then first = first + size + 1 end
  first = arguments.integer(what, first, 1, size)
  return first, arguments.integer(what .. ", its length", length, 1, size - first + 1)
end

-- icl.image.resize(x, size [, box]) -> x resized as Pillow's bilinear filter does it, byte for byte. size: of the
-- shorter side, or { height, width }; box: the part of x that is resized, { top, left, height, width }; top and left
-- count from 1, from -1 at the end.
function image.resize(x, size, box, ...)
  arguments.no_more("icl.image.resize", "an image, a size and a box", ...)
  arguments.tensor("icl.image.resize: x", x)
  if box ~= nil then arguments.typed("icl.image.resize", box, "table", "a box { top, left, height, width }") end
  if box and #box ~= 4 then fail "icl.image.resize: the box must be { top, left, height, width }" end
  local height, width = sizes(x, size)
  if not box then return core.image_resize(x, height, width) end
  local top, rows = range("top", box[1], box[3], x:size(1))
  local left, columns = range("left", box[2], box[4], x:size(2))
  return core.image_resize(x, height, width, top, left, rows, columns)
end

-- icl.image.center(x, size [, resize = 0]) -> the middle size x size pixels of x, after its shorter side was resized to
-- `resize` pixels unless that is 0; black where x is smaller: what evaluation sees.
function image.center(x, size, resize, ...)
  arguments.no_more("icl.image.center", "an image, a size and resize", ...)
  arguments.tensor("icl.image.center: x", x)
  size = arguments.integer("icl.image.center: size", size, 1, LARGEST)
  resize = arguments.integer("icl.image.center: resize", resize or 0, 0, LARGEST)
  return core.image_center(x, resize, size)
end

return image
