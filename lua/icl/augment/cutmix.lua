-- augment/cutmix.lua: augment.cutmix { alpha = 1, correct_lambda = false }: a rectangle, the same for all images of the
-- batch, is replaced by that of another image; 1 - lambda is its share of the pixels and of the target, lambda drawn
-- from Beta(alpha, alpha) (Yun et al. 2019). As in the code the published figures were made with, lambda stays what was
-- drawn where the rectangle reaches over the edge, unless correct_lambda = true.
local core = require "icl.core"
local numbers = require "icl.internal.numbers"
local options = require "icl.options.list"
local boxes = require "icl.augment.boxes"
local mixing = require "icl.augment.mixing"
local stage = require "icl.augment.stage"

local cutmix = stage.class("cutmix", options "augment.cutmix"
  : value("alpha", 1.0, "lambda is drawn from Beta(alpha, alpha); small: nearly 0 or 1", { min = 1e-6, max = 1e6 })
  : flag("correct_lambda", false, "weigh targets by the pixels that are really replaced"))

-- First and last of the pixels about `center` that are `length` of `size`, within 0 to size.
local function interval(center, length, size)
  return numbers.round(math.max(center - length / 2, 0)), numbers.round(math.min(center + length / 2, size))
end

-- cutmix:box(lambda, x, y, height, width) -> the box about the point x, y (real numbers), in images of a size, and the
-- share of the pixels that stay.
function cutmix:box(lambda, x, y, height, width)
  local side = math.sqrt(1 - lambda)
  local left, right = interval(x, width * side, width)
  local top, bottom = interval(y, height * side, height)
  return { top = top, left = left, bottom = bottom, right = right },
    1 - (bottom - top) * (right - left) / (height * width)
end

-- cutmix:mix(x, partner, box) -> images x with the box from their partners.
function cutmix:mix(x, partner, box)
  return core.ops.where(boxes.mask(box, x), partner, x)
end

function cutmix:apply(batch, rng)
  local _, height, width = table.unpack(batch.image:shape())
  local lambda, place, partner = rng:beta(self.options.alpha), rng:numbers(), rng:partner()
  local x = width * place()
  local box, rest = self:box(lambda, x, height * place(), height, width)
  if self.options.correct_lambda then lambda = rest end
  batch.image = self:mix(batch.image, partner.image, box)
  batch.target = mixing.target { { batch.target, lambda }, { partner.target, 1 - lambda } }
end

return cutmix
