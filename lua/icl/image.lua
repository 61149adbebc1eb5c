-- image.lua: single images: u8 tensors (height, width, 3) of red, green and blue; PNG files of them.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"

local image = {}

-- icl.image.read(path) -> the image of a file, u8 (height, width, 3): JPEG, PNG, WebP, TIFF, BMP, GIF (its first
-- picture), TGA, PSD or PNM. Grey is repeated, alpha dropped.
function image.read(path)
  return core.image_read(arguments.path("icl.image.read", path))
end

-- What can be written: a picture of bytes, its channels behind its pixels.
local function check_picture(what, x)
  arguments.tensor(what .. ": x", x)
  local shape = x:shape()
  local channels = shape[3]
  local suits = x:dtype() == "u8" and #shape == 3 and x:count() > 0
  if not suits or not (channels == 1 or channels == 3 or channels == 4) then
    fail("%s: x is %s of shape (%s); it must be u8 of shape (height, width, channels) with 1, 3 or 4 channels", what,
      x:dtype(), table.concat(shape, ", "))
  end
end

-- icl.image.encode_png(x) -> the PNG file of x as a string. x: u8 (height, width, channels); 1 channel is grey, 3 are
-- red, green and blue, 4 have alpha.
function image.encode_png(x, ...)
  arguments.no_more("icl.image.encode_png", "an image", ...)
  check_picture("icl.image.encode_png", x)
  return core.png_encode(x)
end

-- icl.image.save(path, x): writes x as a PNG file, as a whole or not at all; see icl.image.encode_png.
function image.save(path, x, ...)
  arguments.no_more("icl.image.save", "a path and an image", ...)
  arguments.path("icl.image.save", path)
  if not path:lower():match "%.png$" then
    fail("icl.image.save: %s: PNG is written; the name must end in .png", path)
  end
  check_picture("icl.image.save", x)
  local written, message = core.file_write(path, core.png_encode(x))
  if not written then fail("icl.image.save: %s", message) end
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

-- icl.image.resize(x, size [, box]) -> x resized as the bilinear filter of Pillow 10 to 12 does it, byte for byte.
-- size: of the shorter side, or { height, width }; box: the part of x that is resized, { top, left, height, width };
-- top and left count from 1, from -1 at the end.
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
