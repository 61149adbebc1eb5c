-- augment/dual_cutout.lua: augment.dual_cutout { size = 16, prob = 1, inside = false, color = 0 }: two views of each
-- image, each with a cutout of its own. batch.image is then a list of two tensors, for loss.dual_cutout. Only functions
-- may follow it.
local options = require "icl.options.list"
local cutout = require "icl.augment.cutout"
local stage = require "icl.augment.stage"

local dual_cutout = stage.class("dual_cutout", options "augment.dual_cutout":add(cutout.options, ""), cutout)

function dual_cutout:apply(batch, rng)
  local first = self:view(batch.image, rng)
  batch.image = { first, self:view(batch.image, rng) }
end

return dual_cutout
