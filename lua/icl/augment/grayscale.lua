-- augment/grayscale.lua: augment.grayscale { prob = 0.1 }: images of three channels become grey with probability prob.
-- As torchvision's RandomGrayscale on bytes.
local options = require "icl.options.list"
local pictures = require "icl.augment.pictures"

return pictures.stage("grayscale", pictures.prob(options "augment.grayscale", 0.1))
