-- augment/mixup.lua: augment.mixup { alpha = 1 }: each image becomes lambda of itself and 1 - lambda of another of the
-- batch, and so does its target; lambda is drawn from Beta(alpha, alpha), once a batch (Zhang et al. 2018).
local options = require "icl.options.list"
local mixing = require "icl.augment.mixing"
local stage = require "icl.augment.stage"

local mixup = stage.class("mixup", options "augment.mixup"
  : value("alpha", 1.0, "lambda is drawn from Beta(alpha, alpha); small: nearly 0 or 1", { min = 1e-6, max = 1e6 }))

-- mixup:mix(x, partner, lambda) -> the mixed images.
function mixup:mix(x, partner, lambda)
  return x * lambda + partner * (1 - lambda)
end

function mixup:apply(batch, rng)
  local lambda, partner = rng:beta(self.options.alpha), rng:partner()
  batch.image = self:mix(batch.image, partner.image, lambda)
  batch.target = mixing.target { { batch.target, lambda }, { partner.target, 1 - lambda } }
end

return mixup
