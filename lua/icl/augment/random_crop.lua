-- augment/random_crop.lua: augment.random_crop { padding = 4, fill = 0, padding_mode = "constant" }: a window of the
-- image's size at a random place of the padded image. u8 only.
--
-- Modes: "constant", the byte `fill`; and those of internal/borders.lua, "edge", "reflect", "symmetric".
local ops = require "icl.core".ops
local options = require "icl.options.list"
local borders = require "icl.internal.borders"
local stage = require "icl.augment.stage"

local random_crop = stage.class("random_crop", options "augment.random_crop"
  : value("padding", 4, "pixels of padding around the image", { min = 0, max = 4096 })
  : value("fill", 0, "byte that constant padding is made of",
      { min = 0, max = 255, only = { padding_mode = "constant" } })
  : choice("padding_mode", "constant", { "constant", "edge", "reflect", "symmetric" }, "what the padding is made of"))

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
  return ops.crop(borders.padded(x, { o.padding, o.padding }, o.padding_mode), offset, { size = size })
end

function random_crop:apply(batch, rng)
  batch.image = self:crop(batch.image, self:draw(rng, batch.image:size(1)))
end

return random_crop
