-- augment/hflip.lua: augment.hflip { prob = 0.5 }: mirrored left to right with probability prob.
local core = require "icl.core"
local options = require "icl.options.list"
local stage = require "icl.augment.stage"

local hflip = stage.class("hflip", options "augment.hflip"
  : value("prob", 0.5, "share of the images that are mirrored", { min = 0, max = 1 }))

function hflip:apply(batch, rng)
  local which = rng:bernoulli(self.options.prob, { batch.image:size(1) })
  batch.image = core.ops.flip(batch.image, which)
end

return hflip
