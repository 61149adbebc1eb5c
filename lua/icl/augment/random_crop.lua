-- augment/random_crop.lua: augment.random_crop { padding = 4, fill = 0, padding_mode = "constant" }: a window of the
-- image's size at a random place of the padded image. u8 only.
--
-- Modes, as NumPy names them: "constant", the byte `fill`; "edge", the outermost pixel; "reflect", the image mirrored
-- at its outermost pixel; "symmetric", mirrored at its edge, so that the outermost pixel is there twice.
local core = require "icl.core"
local ops = core.ops
local options = require "icl.options.list"
local stage = require "icl.augment.stage"

local random_crop = stage.class("random_crop", options "augment.random_crop"
  : value("padding", 4, "pixels of padding around the image", { min = 0, max = 4096 })
  : value("fill", 0, "byte that constant padding is made of",
      { min = 0, max = 255, only = { padding_mode = "constant" } })
  : choice("padding_mode", "constant", { "constant", "edge", "reflect", "symmetric" }, "what the padding is made of"))

local function mirrored(x, dim)
  if dim == 2 then return mirrored(x:transpose(2, 3), 3):transpose(2, 3) end
  return ops.flip(x, core.full({ x:size(1) }, 1, "bool"))
end

-- What stands before and behind an axis, `length` of each.
local borders = {}

function borders.edge(x, dim, length)
  local shape = x:shape()
  local last = x:narrow(dim, shape[dim], 1)
  shape[dim] = length
  return x:narrow(dim, 1, 1):broadcast_to { shape = shape }, last:broadcast_to { shape = shape }
end

function borders.reflect(x, dim, length)
  return mirrored(x:narrow(dim, 2, length), dim), mirrored(x:narrow(dim, x:size(dim) - length, length), dim)
end

function borders.symmetric(x, dim, length)
  return mirrored(x:narrow(dim, 1, length), dim), mirrored(x:narrow(dim, x:size(dim) - length + 1, length), dim)
end

local function padded(x, length, mode)
  for dim = 2, 3 do
    local before, behind = borders[mode](x, dim, length)
    x = ops.concat(before, x, behind, { dim = dim })
  end
  return x
end

-- A mirror shows no more than the image.
function random_crop:problem(height, width)
  local o = self.options
  local most = math.min(height, width) - (o.padding_mode == "reflect" and 1 or 0)
  if (o.padding_mode == "reflect" or o.padding_mode == "symmetric") and o.padding > most then
    return ("{padding} %d is too much for images of %d x %d with {padding_mode} %s; at most %d")
      :format(o.padding, height, width, o.padding_mode, most)
  end
end

-- random_crop:draw(rng, n) -> i64 (n, 2): top and left of each window in the padded image.
function random_crop:draw(rng, n)
  return rng:randint(0, 2 * self.options.padding, { n, 2 })
end

-- random_crop:crop(x, offset) -> the windows.
function random_crop:crop(x, offset)
  local o, size = self.options, { x:size(2), x:size(3) }
  if o.padding_mode == "constant" or o.padding == 0 then
    return ops.crop(x, offset, { size = size, padding = o.padding, fill = o.fill })
  end
  self:check_size(table.unpack(size))
  return ops.crop(padded(x, o.padding, o.padding_mode), offset, { size = size })
end

function random_crop:apply(batch, rng)
  batch.image = self:crop(batch.image, self:draw(rng, batch.image:size(1)))
end

return random_crop
