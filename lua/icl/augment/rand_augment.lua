-- augment/rand_augment.lua: augment.rand_augment { num_ops = 2, magnitude = 9, num_magnitude_bins = 31 }: each image
-- goes through num_ops operations that are drawn from 14, warps and adjustments of colours, all of one magnitude
-- (Cubuk et al. 2020). As torchvision's RandAugment on bytes.
local options = require "icl.options.list"
local pictures = require "icl.augment.pictures"
local policy = require "icl.augment.policy"
local stage = require "icl.augment.stage"

local rand_augment = stage.class("rand_augment", pictures.warping(options "augment.rand_augment"
  : value("num_ops", 2, "operations on each image", { min = 0, max = 20 })
  : value("magnitude", 9, "how strong they are, from 0 on", { min = 0, max = 1000 })
  : value("num_magnitude_bins", 31, "how many magnitudes there are", { min = 2, max = 1001 })
  : check(function(o)
      if o.magnitude and o.num_magnitude_bins and o.magnitude >= o.num_magnitude_bins then
        return "{magnitude} must be below {num_magnitude_bins}"
      end
    end)))

local magnitudes = {}
function magnitudes.shear_x(bins) return policy.steps(0, 0.3, bins) end
magnitudes.shear_y = magnitudes.shear_x
function magnitudes.translate_x(bins, _, w) return policy.steps(0, 150 / 331 * w, bins) end
function magnitudes.translate_y(bins, h) return policy.steps(0, 150 / 331 * h, bins) end
function magnitudes.rotate(bins) return policy.steps(0, 30, bins) end
function magnitudes.brightness(bins) return policy.steps(0, 0.9, bins) end
magnitudes.color, magnitudes.contrast = magnitudes.brightness, magnitudes.brightness
magnitudes.sharpness = magnitudes.brightness
function magnitudes.posterize(bins) return policy.bits(4, bins) end
function magnitudes.solarize(bins) return policy.steps(255, 0, bins) end

-- rand_augment.magnitude_of(name, index, bins, h, w) -> magnitude number `index`, from 0, of an operation, for images
-- of a size; 0 for those that have none.
function rand_augment.magnitude_of(name, index, bins, h, w)
  return magnitudes[name] and magnitudes[name](bins, h, w)[index + 1] or 0
end

local tables_for = policy.by_size(function(self, h, w)
  local o, list = self.options, {}
  for i, name in ipairs(policy.names) do
    list[i] = { name, rand_augment.magnitude_of(name, o.magnitude, o.num_magnitude_bins, h, w) }
  end
  return policy.tables(list, h, w)
end)

-- rand_augment:operate(x, choices) -> images x with one operation each: choices, i64 (n), are twice the number of the
-- operation in policy.names, from 0, and 1 more for a negative sign.
function rand_augment:operate(x, choices)
  return policy.apply(x, tables_for(self, x), choices, self.options)
end

function rand_augment:apply(batch, rng)
  local n = batch.image:size(1)
  for _ = 1, self.options.num_ops do
    batch.image = self:operate(batch.image, rng:randint(0, 2 * #policy.names - 1, { n }))
  end
end

return rand_augment
