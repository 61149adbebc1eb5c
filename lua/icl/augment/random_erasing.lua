-- augment/random_erasing.lua: augment.random_erasing { prob = 0.5, area = { 0.02, 0.4 }, min_aspect_ratio = 0.3,
-- max_attempt = 20 }: a rectangle of a random place, size and shape is filled with a random number (Zhong et al. 2020).
-- The arithmetic is that of the code the published figures were made with: the ratio of the sides is uniform, and no
-- rectangle touches the right or the lower edge; log_ratio, to_edge and per_pixel change that.
local core = require "icl.core"
local ops = core.ops
local options = require "icl.options.list"
local boxes = require "icl.augment.boxes"
local stage = require "icl.augment.stage"

local random_erasing = stage.class("random_erasing", options "augment.random_erasing"
  : value("prob", 0.5, "share of the images that get one", { min = 0, max = 1 })
  : value("area", { 0.02, 0.4 }, "its least and largest share of the image", { min = 0, max = 1 })
  : value("min_aspect_ratio", 0.3, "least ratio of its sides; the largest is the inverse", { min = 0.001, max = 1 })
  : value("max_attempt", 20, "sizes that are tried until one fits", { min = 1, max = 1000 })
  : flag("log_ratio", false, "the logarithm of the ratio is uniform, so that wide and high are as likely")
  : flag("to_edge", false, "it may touch the right and the lower edge")
  : flag("per_pixel", false, "each value is filled with a number of its own")
  : check(function(o)
      if o.area and not (#o.area == 2 and o.area[1] <= o.area[2]) then
        return "{area} must be two numbers, the second not below the first"
      end
    end))

local function between(uniform, low, high)
  return uniform * (high - low) + low
end

-- random_erasing:draw(rng, n) -> for n images: which, bool (n, 1, 1, 1); area and ratio, f32 (n, 1, 1, tries); x and y
-- of the place, from 0 to 1, f32 (n, 1, 1, 1).
function random_erasing:draw(rng, n)
  local o = self.options
  local one, tries, least = { n, 1, 1, 1 }, { n, 1, 1, o.max_attempt }, o.min_aspect_ratio
  local which, area, ratio = rng:bernoulli(o.prob, one), rng:uniform(tries), rng:uniform(tries)
  if o.log_ratio then
    ratio = between(ratio, math.log(least), -math.log(least)):exp()
  else
    ratio = between(ratio, least, 1 / least)
  end
  return { which = which, area = between(area, o.area[1], o.area[2]), ratio = ratio,
           x = rng:uniform(one), y = rng:uniform(one) }
end

-- tries, ..., 2, 1, as an f32 tensor (1, 1, 1, tries).
local function countdown(tries)
  local numbers = {}
  for i = 1, tries do numbers[i] = tries + 1 - i end
  return core.new_tensor(numbers, "f32", { 1, 1, 1, tries })
end

-- random_erasing:box(draws, x) -> the rectangles on images x that the first sizes that fit give; empty if none fits.
function random_erasing:box(draws, x)
  local _, h, w = table.unpack(x:shape())
  local area, slack = draws.area * (h * w), self.options.to_edge and 1 or 0
  local heights, widths = (area * draws.ratio):sqrt():floor(), (area / draws.ratio):sqrt():floor()
  local rank = ops.lt(heights, h) * ops.lt(widths, w) * countdown(area:size(4))  -- 0: does not fit
  local first = ops.eq(rank, rank:max(-1, true)) * ops.gt(rank, 0)
  local height, width = (heights * first):sum(-1, true), (widths * first):sum(-1, true)
  local top, left = (draws.y * (h + slack - height)):floor(), (draws.x * (w + slack - width)):floor()
  return { top = top, left = left, bottom = top + height, right = left + width }
end

-- random_erasing:fill(x, box, which, value) -> images x with the boxes of those in `which` filled.
function random_erasing:fill(x, box, which, value)
  return ops.where(boxes.mask(box, x, which), value:cast(x:dtype()), x)
end

function random_erasing:apply(batch, rng)
  local x = batch.image
  local n = x:size(1)
  local draws = self:draw(rng, n)
  local value = rng:uniform(self.options.per_pixel and x:shape() or { n, 1, 1, 1 })
  batch.image = self:fill(x, self:box(draws, x), draws.which, value)
end

return random_erasing
