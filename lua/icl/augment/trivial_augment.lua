-- augment/trivial_augment.lua: augment.trivial_augment { num_magnitude_bins = 31 }: each image goes through one of 14
-- operations, warps and adjustments of colours, of a magnitude that is drawn as well (Mueller and Hutter 2021, in its
-- wide form). As torchvision's TrivialAugmentWide on bytes.
local options = require "icl.options.list"
local pictures = require "icl.augment.pictures"
local policy = require "icl.augment.policy"
local stage = require "icl.augment.stage"

local trivial_augment = stage.class("trivial_augment", pictures.warping(options "augment.trivial_augment"
  : value("num_magnitude_bins", 31, "how many magnitudes there are", { min = 2, max = 1001 })))

-- The magnitudes of an operation; nil for those that have none.
local function magnitudes_of(name, bins)
  local most = { shear_x = 0.99, shear_y = 0.99, translate_x = 32, translate_y = 32, rotate = 135, brightness = 0.99,
                 color = 0.99, contrast = 0.99, sharpness = 0.99 }
  if most[name] then return policy.steps(0, most[name], bins) end
  if name == "posterize" then return policy.bits(6, bins) end
  return name == "solarize" and policy.steps(255, 0, bins) or nil
end

local tables_for = policy.by_size(function(self, h, w)
  local bins, list = self.options.num_magnitude_bins, {}
  for _, name in ipairs(policy.names) do
    local magnitudes = magnitudes_of(name, bins)
    for bin = 1, bins do list[#list + 1] = { name, magnitudes and magnitudes[bin] or 0 } end
  end
  return policy.tables(list, h, w)
end)

-- trivial_augment:operate(x, choices) -> images x with one operation each: choices, i64 (n), are 2 (k bins + m) for
-- magnitude m of operation k in policy.names, both from 0, and 1 more for a negative sign.
function trivial_augment:operate(x, choices)
  return policy.apply(x, tables_for(self, x), choices, self.options)
end

function trivial_augment:apply(batch, rng)
  local most = 2 * #policy.names * self.options.num_magnitude_bins - 1
  batch.image = self:operate(batch.image, rng:randint(0, most, { batch.image:size(1) }))
end

return trivial_augment
