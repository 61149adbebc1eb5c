-- augment/equalize.lua: augment.equalize { prob = 0.5 }: the bytes of each channel are spread so that all are about as
-- frequent, with probability prob. As torchvision's RandomEqualize on bytes.
local options = require "icl.options.list"
local pictures = require "icl.augment.pictures"

return pictures.stage("equalize", pictures.prob(options "augment.equalize", 0.5))
