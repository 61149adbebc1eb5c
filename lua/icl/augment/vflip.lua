-- augment/vflip.lua: augment.vflip { prob = 0.5 }: mirrored top to bottom with probability prob.
local core = require "icl.core"
local options = require "icl.options.list"
local stage = require "icl.augment.stage"

local vflip = stage.class("vflip", options "augment.vflip"
  : value("prob", 0.5, "share of the images that are mirrored", { min = 0, max = 1 }))

function vflip:apply(batch, rng)
  local x = batch.image
  local n, h, w, c = table.unpack(x:shape())
  local which = rng:bernoulli(self.options.prob, { n })
  batch.image = core.ops.flip(x:reshape(n, 1, h, w * c), which):reshape(n, h, w, c)
end

return vflip
