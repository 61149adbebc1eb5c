-- augment/sharpness.lua: augment.sharpness { factor = 2, prob = 0.5 }: images become sharper, or smoother with a
-- factor below 1, with probability prob; 0 is a blur. As torchvision's RandomAdjustSharpness on bytes.
local options = require "icl.options.list"
local pictures = require "icl.augment.pictures"

return pictures.stage("sharpness", pictures.prob(options "augment.sharpness"
  : value("factor", 2.0, "1: as it is; 0: blurred; 2: as much sharper", { min = 0 }), 0.5),
  "sharpness", function(o) return o.factor end)
