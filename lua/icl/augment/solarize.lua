-- augment/solarize.lua: augment.solarize { threshold = 128, prob = 0.5 }: bytes from the threshold on become 255 less
-- the byte, with probability prob. As torchvision's RandomSolarize on bytes.
local options = require "icl.options.list"
local pictures = require "icl.augment.pictures"

return pictures.stage("solarize", pictures.prob(options "augment.solarize"
  : value("threshold", 128, "bytes from here on are inverted", { min = 0, max = 255 }), 0.5),
  "solarize", function(o) return o.threshold end)
