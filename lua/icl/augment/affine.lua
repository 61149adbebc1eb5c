-- augment/affine.lua: augment.affine { degrees = 10, translate = { 0, 0 }, scale = { 1, 1 }, shear = { 0, 0 },
-- interpolation = "nearest", fill = 0 }: each image is turned, sheared and scaled about its middle, and moved. As
-- torchvision's RandomAffine on bytes, but that bilinear borders are blended with `fill` once, and there twice.
local angles = require "icl.augment.angles"
local options = require "icl.options.list"
local pictures = require "icl.augment.pictures"
local stage = require "icl.augment.stage"

local affine = stage.class("affine", pictures.warping(options "augment.affine"
  : value("degrees", 10.0, "the largest angle, either way", { min = 0, max = 180 })
  : value("translate", { 0, 0 }, "the largest move to a side, up or down, as shares of the size", { min = 0, max = 1 })
  : value("scale", { 1, 1 }, "least and largest factor of the size", { min = 1e-3, max = 1e3 })
  : value("shear", { 0, 0 }, "the largest shear along x and along y, in degrees", { min = 0, max = 89 })
  : check(function(o)
      for _, name in ipairs { "translate", "scale", "shear" } do
        if o[name] and #o[name] ~= 2 then return "{" .. name .. "} must be two numbers" end
      end
      if o.scale and o.scale[1] > o.scale[2] then return "{scale} must begin with the smaller number" end
    end)))

-- affine:draw(rng, x) -> for images x, f64 (n) each: angle, shear_x, shear_y in degrees, scale, and move_x, move_y in
-- whole pixels.
function affine:draw(rng, x)
  local o, n = self.options, x:size(1)
  local function to(most) return pictures.between(rng, -most, most, n) end
  return { angle = to(o.degrees), move_x = to(o.translate[1] * x:size(3)):round(),
           move_y = to(o.translate[2] * x:size(2)):round(), scale = pictures.between(rng, o.scale[1], o.scale[2], n),
           shear_x = to(o.shear[1]), shear_y = to(o.shear[2]) }
end

-- affine:transform(x, draws) -> images x with what was drawn. A pixel of the result is looked for in the image by the
-- inverse of: shear along x, along y, scale, turn, move.
function affine:transform(x, draws)
  local n, h, w = x:size(1), x:size(2), x:size(3)
  local cosine, sine = angles.of(draws.angle)
  local cosine_x, sine_x = angles.of(draws.shear_x)
  local cosine_y, sine_y = angles.of(draws.shear_y)
  local tangent_x, tangent_y = sine_x / cosine_x, sine_y / cosine_y
  local a, c = cosine + sine * tangent_y, sine - cosine * tangent_y
  local inverse = { (cosine - c * tangent_x) / draws.scale, (a * tangent_x + sine) / draws.scale,
                    -c / draws.scale, a / draws.scale }
  local across, down = draws.move_x + w / 2, draws.move_y + h / 2  -- where the middle goes
  return pictures.warp(x, pictures.coefficients({
    inverse[1], inverse[2], w / 2 - inverse[1] * across - inverse[2] * down,
    inverse[3], inverse[4], h / 2 - inverse[3] * across - inverse[4] * down, 0, 0,
  }, n), self.options)
end

function affine:apply(batch, rng)
  batch.image = self:transform(batch.image, self:draw(rng, batch.image))
end

return affine
