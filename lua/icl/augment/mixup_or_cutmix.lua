-- augment/mixup_or_cutmix.lua: augment.mixup_or_cutmix { prob = 1, switch_prob = 0.5, mixup_alpha = 0.8, cutmix_alpha =
-- 1, off_epoch = 0 }: each batch is mixed with probability prob, by cutmix with probability switch_prob, else by mixup;
-- not any more behind epoch off_epoch (0: to the end). As timm does it.
local options = require "icl.options.list"
local cutmix = require "icl.augment.cutmix"
local mixup = require "icl.augment.mixup"
local stage = require "icl.augment.stage"

local mixup_or_cutmix = stage.class("mixup_or_cutmix", options "augment.mixup_or_cutmix"
  : value("prob", 1.0, "share of the batches that are mixed", { min = 0, max = 1 })
  : value("switch_prob", 0.5, "share of these that are mixed by cutmix", { min = 0, max = 1 })
  : value("mixup_alpha", 0.8, "of Beta(alpha, alpha) for mixup", { min = 1e-6, max = 1e6 })
  : value("cutmix_alpha", 1.0, "of Beta(alpha, alpha) for cutmix", { min = 1e-6, max = 1e6 })
  : value("off_epoch", 0, "nothing is mixed behind this epoch; 0: to the end", { min = 0 }))

-- mixup_or_cutmix:choice(epoch, rng) -> the stage for a batch, or nil.
function mixup_or_cutmix:choice(epoch, rng)
  local o, draw = self.options, rng:numbers()
  local mixed, cut = draw() < o.prob, draw() < o.switch_prob
  if not mixed or (o.off_epoch > 0 and epoch > o.off_epoch) then return nil end
  self.stages = self.stages or { cutmix = cutmix { alpha = o.cutmix_alpha }, mixup = mixup { alpha = o.mixup_alpha } }
  return self.stages[cut and "cutmix" or "mixup"]
end

function mixup_or_cutmix:apply(batch, rng)
  local chosen = self:choice(batch.epoch or 0, rng)
  if chosen then chosen:apply(batch, rng) end
end

return mixup_or_cutmix
