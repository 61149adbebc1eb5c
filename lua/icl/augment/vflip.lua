-- augment/vflip.lua: augment.vflip { prob = 0.5 }: mirrored top to bottom with probability prob.
local core = require "icl.core"
local options = require "icl.options.list"
local stage = require "icl.augment.stage"

local vflip = stage.class("vflip", options "augment.vflip"
  : value("prob", 0.5, "share of the images that are mirrored", { min = 0, max = 1 }))

function vflip:apply(batch, rng)
  local x = batch.image
  local which = rng:bernoulli(self.options.prob, { x:size(1) })
  batch.image = core.ops.flip(x:transpose(2, 3), which):transpose(2, 3)
end

return vflip
