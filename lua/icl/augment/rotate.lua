-- augment/rotate.lua: augment.rotate { degrees = 15, interpolation = "nearest", fill = 0 }: each image is turned about
-- its middle by an angle from -degrees to degrees. As torchvision's RandomRotation on bytes, but that bilinear borders
-- are blended with `fill` once, and there twice.
local angles = require "icl.augment.angles"
local options = require "icl.options.list"
local pictures = require "icl.augment.pictures"
local stage = require "icl.augment.stage"

local rotate = stage.class("rotate", pictures.warping(options "augment.rotate"
  : value("degrees", 15.0, "the largest angle, either way", { min = 0, max = 180 })))

-- rotate:turn(x, degrees) -> images x turned by angles, f64 (n), against the hands of a clock.
function rotate:turn(x, degrees)
  local n, h, w = x:size(1), x:size(2), x:size(3)
  local c, s = angles.of(degrees)
  return pictures.warp(x, pictures.coefficients(angles.turning(c, s, h, w), n), self.options)
end

function rotate:apply(batch, rng)
  local most = self.options.degrees
  batch.image = self:turn(batch.image, pictures.between(rng, -most, most, batch.image:size(1)))
end

return rotate
