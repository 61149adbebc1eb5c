-- augment/cutout.lua: augment.cutout { size = 16, prob = 1, inside = false, color = 0 }: a square at a random place of
-- the image is filled (DeVries and Taylor 2017). It belongs behind normalize, where 0 is the mean colour.
local core = require "icl.core"
local options = require "icl.options.list"
local boxes = require "icl.augment.boxes"
local stage = require "icl.augment.stage"

local cutout = stage.class("cutout", options "augment.cutout"
  : value("size", 16, "pixels of a side", { min = 1 })
  : value("prob", 1.0, "share of the images that get one", { min = 0, max = 1 })
  : flag("inside", false, "only squares that lie within the image")
  : value("color", 0.0, "what they are filled with, after normalisation"))

-- First and last place of the centre on an axis: a pixel for odd sizes, a line of the pixel grid for even ones.
function cutout:range(length)
  local size = self.options.size
  local half, last = size // 2, size % 2 == 0 and length or length - 1
  if not self.options.inside then return 0, last end
  return half, last - half
end

function cutout:problem(height, width)
  local size = self.options.size
  if self.options.inside and size > math.min(height, width) then
    return ("a square of {size} %d does not lie within %d x %d pixels; give a smaller one, or not {inside}")
      :format(size, height, width)
  end
end

-- cutout:draw(rng, x) -> i64 (n, 1, 1, 1) twice: column and row of the centres.
function cutout:draw(rng, x)
  local n, h, w = table.unpack(x:shape())
  self:check_size(h, w)
  local function place(length)
    local first, last = self:range(length)
    return rng:randint(first, last, { n, 1, 1, 1 })
  end
  return place(w), place(h)
end

-- cutout:box(column, row) -> the squares around centres.
function cutout:box(column, row)
  local size = self.options.size
  local left, top = column:float() - size // 2, row:float() - size // 2
  return { top = top, left = left, bottom = top + size, right = left + size }
end

-- cutout:fill(x, box [, which]) -> images x with the boxes filled; `which`, bool (n, 1, 1, 1), chooses images.
function cutout:fill(x, box, which)
  return core.ops.where(boxes.mask(box, x, which), self.options.color, x)
end

-- cutout:view(x, rng) -> images x with squares that are drawn.
function cutout:view(x, rng)
  local prob, which = self.options.prob, nil
  if prob < 1 then which = rng:bernoulli(prob, { x:size(1), 1, 1, 1 }) end
  return self:fill(x, self:box(self:draw(rng, x)), which)
end

function cutout:apply(batch, rng)
  batch.image = self:view(batch.image, rng)
end

return cutout
