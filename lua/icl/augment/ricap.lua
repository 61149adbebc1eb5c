-- augment/ricap.lua: augment.ricap { beta = 0.3 }: four images of the batch are cropped and patched together; where
-- they meet is drawn from Beta(beta, beta) on each axis, once a batch. The target is weighed by their areas (Takahashi
-- et al. 2018). The published figures are without random_crop.
local core = require "icl.core"
local ops = core.ops
local numbers = require "icl.internal.numbers"
local options = require "icl.options.list"
local boxes = require "icl.augment.boxes"
local mixing = require "icl.augment.mixing"
local stage = require "icl.augment.stage"

local ricap = stage.class("ricap", options "augment.ricap"
  : value("beta", 0.3, "where they meet is drawn from Beta(beta, beta); small: near a corner",
      { min = 1e-6, max = 1e6 }))

-- ricap:patches(horizontal, vertical, height, width) -> the four patches for images of a size that meet at these shares
-- of it, from the upper left one to the lower right one: { top =, left =, height =, width =, weight = }.
function ricap:patches(horizontal, vertical, height, width)
  local w, h = numbers.round(width * horizontal), numbers.round(height * vertical)
  local patches = {}
  for k = 0, 3 do
    local lower, right = k >= 2, k % 2 == 1
    local patch = { top = lower and h or 0, left = right and w or 0,
                    height = lower and height - h or h, width = right and width - w or w }
    patch.weight = patch.height * patch.width / (height * width)
    patches[k + 1] = patch
  end
  return patches
end

-- x with `first` positions of an axis moved from its beginning to its end.
local function rolled(x, dim, first)
  local size = x:size(dim)
  return ops.concat(x, x, { dim = dim }):narrow(dim, first % size + 1, size)
end

-- ricap:mix(images, patches, offsets) -> patch k of each image of images[k], taken from row offsets[k].y and column
-- offsets[k].x on, together.
function ricap:mix(images, patches, offsets)
  local moved, x = {}, images[1]
  for k, patch in ipairs(patches) do
    local down = rolled(images[k], 2, offsets[k].y - patch.top)
    moved[k] = rolled(down, 3, offsets[k].x - patch.left)
  end
  local corner = patches[1]
  local left = boxes.mask({ top = 0, left = 0, bottom = x:size(2), right = corner.width }, x)
  local upper = boxes.mask({ top = 0, left = 0, bottom = corner.height, right = x:size(3) }, x)
  return ops.where(upper, ops.where(left, moved[1], moved[2]), ops.where(left, moved[3], moved[4]))
end

function ricap:apply(batch, rng)
  local beta, _, height, width = self.options.beta, table.unpack(batch.image:shape())
  local horizontal = rng:beta(beta)
  local patches = self:patches(horizontal, rng:beta(beta), height, width)
  local place, images, offsets, targets = rng:numbers(), {}, {}, {}
  for k, patch in ipairs(patches) do
    local partner = rng:partner()
    images[k], targets[k] = partner.image, { partner.target, patch.weight }
    local x = math.floor(place() * (width - patch.width + 1))
    offsets[k] = { x = x, y = math.floor(place() * (height - patch.height + 1)) }
  end
  batch.image, batch.target = self:mix(images, patches, offsets), mixing.target(targets)
end

return ricap
