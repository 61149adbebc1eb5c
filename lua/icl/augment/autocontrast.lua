-- augment/autocontrast.lua: augment.autocontrast { prob = 0.5 }: the bytes of each channel are stretched to 0 to 255,
-- with probability prob. As torchvision's RandomAutocontrast on bytes.
local options = require "icl.options.list"
local pictures = require "icl.augment.pictures"

return pictures.stage("autocontrast", pictures.prob(options "augment.autocontrast", 0.5))
