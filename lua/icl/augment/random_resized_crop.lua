-- augment/random_resized_crop.lua: augment.random_resized_crop { area = { 0.08, 1 }, ratio = { 3/4, 4/3 } }: the first
-- stage for an image folder: a part of random place, size and shape of each image, resized to the size of the set
-- (Szegedy et al. 2015).
local options = require "icl.options.list"
local places = require "icl.internal.places"
local stage = require "icl.augment.stage"

-- Two numbers, the second not below the first.
local function ordered(range)
  return not range or #range == 2 and range[1] <= range[2]
end

local random_resized_crop = stage.class("random_resized_crop", options "augment.random_resized_crop"
  : value("area", { 0.08, 1.0 }, "least and largest share of the image", { min = 1e-4, max = 1 })
  : value("ratio", { 3 / 4, 4 / 3 }, "least and largest ratio of width to height",
      { min = 0.01, max = 100 })
  : check(function(o)
      for _, name in ipairs { "area", "ratio" } do
        if not ordered(o[name]) then return "{" .. name .. "} must be two numbers, the second not below the first" end
      end
    end))

-- random_resized_crop:decoding(epoch) -> what core.image_stream is told; the draws depend on seed, epoch and image.
function random_resized_crop:decoding(epoch)
  return { area = self.options.area, ratio = self.options.ratio,
           key = places.words("augment.random_resized_crop", epoch) }
end

return random_resized_crop
