-- augment/center_crop.lua: augment.center_crop { resize = 0 }: the first stage for an image folder: the middle of each
-- image, whose shorter side is brought to `resize` pixels before (0: it stays as it is); black around an image that is
-- too small. The size is that of the set.
local options = require "icl.options.list"
local stage = require "icl.augment.stage"

local center_crop = stage.class("center_crop", options "augment.center_crop"
  : value("resize", 0, "the shorter side before the middle is cut out; 0: as it is", { min = 0, max = 16384 }))

-- center_crop:decoding() -> what core.image_stream is told.
function center_crop:decoding()
  return { resize = self.options.resize }
end

return center_crop
