-- augment/posterize.lua: augment.posterize { bits = 4, prob = 0.5 }: only the highest bits of each byte are kept, with
-- probability prob. As torchvision's RandomPosterize on bytes.
local options = require "icl.options.list"
local pictures = require "icl.augment.pictures"

return pictures.stage("posterize", pictures.prob(options "augment.posterize"
  : value("bits", 4, "bits that are kept", { min = 0, max = 8 }), 0.5),
  "posterize", function(o) return o.bits end)
