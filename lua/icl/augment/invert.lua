-- augment/invert.lua: augment.invert { prob = 0.5 }: bytes become 255 less the byte, with probability prob. As
-- torchvision's RandomInvert on bytes.
local options = require "icl.options.list"
local pictures = require "icl.augment.pictures"

return pictures.stage("invert", pictures.prob(options "augment.invert", 0.5))
