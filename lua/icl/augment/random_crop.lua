-- augment/random_crop.lua: augment.random_crop { padding = 4, fill = 0 }: a window of the image's size at a random
-- place of the padded image. u8 only.
local core = require "icl.core"
local options = require "icl.options"
local stage = require "icl.augment.stage"

local random_crop = stage.class("random_crop", options "augment.random_crop"
  : value("padding", 4, "pixels of padding around the image", { min = 0, max = 4096 })
  : value("fill", 0, "byte that the padding is made of", { min = 0, max = 255 }))

-- random_crop:draw(rng, n) -> i64 (n, 2): top and left of each window in the padded image.
function random_crop:draw(rng, n)
  return rng:randint(0, 2 * self.options.padding, { n, 2 })
end

-- random_crop:crop(x, offset) -> the windows.
function random_crop:crop(x, offset)
  local o = self.options
  return core.ops.crop(x, offset, { size = { x:size(2), x:size(3) }, padding = o.padding, fill = o.fill })
end

function random_crop:apply(batch, rng)
  batch.image = self:crop(batch.image, self:draw(rng, batch.image:size(1)))
end

return random_crop
