-- augment/perspective.lua: augment.perspective { distortion = 0.5, prob = 0.5, interpolation = "bilinear", fill = 0 }:
-- the corners of an image move inwards at random, with probability prob. As torchvision's RandomPerspective on bytes,
-- but that bilinear borders are blended with `fill` once, and there twice.
local options = require "icl.options.list"
local pictures = require "icl.augment.pictures"
local stage = require "icl.augment.stage"

local perspective = stage.class("perspective", pictures.warping(pictures.prob(options "augment.perspective"
  : value("distortion", 0.5, "how far corners move, at most, of half of the size", { min = 0, max = 1 }), 0.5),
  "bilinear"))

function perspective:problem(height, width)
  if math.min(height, width) < 2 then return "images must have at least two pixels a side" end
end

-- perspective:draw(rng, x) -> for images x, the places { x =, y = }, f64 (n) each, of the corners from the upper left
-- one on clockwise.
function perspective:draw(rng, x)
  local n, h, w = x:size(1), x:size(2), x:size(3)
  local most_x, most_y = self.options.distortion * (w // 2) // 1, self.options.distortion * (h // 2) // 1
  local corners = {}
  for k = 1, 4 do
    local right, lower = k == 2 or k == 3, k > 2
    local in_x = rng:randint(0, math.tointeger(most_x), { n }):cast "f64"
    local in_y = rng:randint(0, math.tointeger(most_y), { n }):cast "f64"
    corners[k] = { x = right and w - 1 - in_x or in_x, y = lower and h - 1 - in_y or in_y }
  end
  return corners
end

-- The matrix, by rows, of the map of the unit square to corners (Heckbert 1989).
local function map_to(corners)
  local p, q, r, s = table.unpack(corners)
  local ax, bx, cx = q.x - r.x, s.x - r.x, p.x - q.x + r.x - s.x
  local ay, by, cy = q.y - r.y, s.y - r.y, p.y - q.y + r.y - s.y
  local determinant = ax * by - bx * ay
  local g, h = (cx * by - bx * cy) / determinant, (ax * cy - cx * ay) / determinant
  return q.x - p.x + g * q.x, s.x - p.x + h * s.x, p.x, q.y - p.y + g * q.y, s.y - p.y + h * s.y, p.y, g, h
end

-- perspective:transform(x, corners [, which]) -> images x, those in `which`, bool (n), with their corners moved.
function perspective:transform(x, corners, which)
  local width, height = x:size(3) - 1, x:size(2) - 1
  local a, b, c, d, e, f, g, h = map_to(corners)
  local whole = a * e - b * d  -- the inverse is the adjugate; all of it is divided by its last element
  local across, down = width / whole, height / whole
  return pictures.warp(x, pictures.coefficients({
    (e - f * h) * across, (c * h - b) * across, (b * f - c * e) * across,
    (f * g - d) * down, (a - c * g) * down, (c * d - a * f) * down,
    (d * h - e * g) / whole, (b * g - a * h) / whole,
  }, x:size(1), which), self.options)
end

function perspective:apply(batch, rng)
  local x = batch.image
  self:check_size(x:size(2), x:size(3))
  local which = rng:bernoulli(self.options.prob, { x:size(1) })
  batch.image = self:transform(x, self:draw(rng, x), which)
end

return perspective
