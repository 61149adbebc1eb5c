-- nn/resample.lua: images of another height and width, each pixel of which is a weighted mean of old pixels.
--
-- A table of weights (old size, new size) for each axis is applied to a chunk of images as a convolution of 1 x 1 over
-- the images turned so that the axis comes last: all old positions are multiplied, also with zeros.
local core = require "icl.core"
local ops = core.ops

local resample = {}

local function along_last(x, rows)
  return ops.conv2d(x, core.new_tensor({ { rows } }, x:dtype() == "f64" and "f64" or "f32"))
end

-- resample.apply(x, down, across): x (n, h, w, c), tables of weights h x h' and w x w' -> (n, h', w', c).
function resample.apply(x, down, across)
  local turned = along_last(ops.permute(x, { dims = { 1, 3, 4, 2 } }), down)            -- (n, w, c, h')
  turned = along_last(ops.permute(turned, { dims = { 1, 4, 3, 2 } }), across)           -- (n, h', c, w')
  return ops.permute(turned, { dims = { 1, 2, 4, 3 } })
end

local function zeros(size, new)
  local rows = {}
  for i = 1, size do
    rows[i] = {}
    for j = 1, new do rows[i][j] = 0 end
  end
  return rows
end

-- resample.means(size, new): new position j is the mean of the old ones from floor(j size / new) to before
-- ceil((j + 1) size / new), counted from 0.
function resample.means(size, new)
  local rows = zeros(size, new)
  for j = 0, new - 1 do
    local first, behind = j * size // new, -(-(j + 1) * size // new)
    for i = first, behind - 1 do rows[i + 1][j + 1] = 1 / (behind - first) end
  end
  return rows
end

-- resample.nearest(size, new): the old position floor(j size / new).
function resample.nearest(size, new)
  local rows = zeros(size, new)
  for j = 0, new - 1 do rows[j * size // new + 1][j + 1] = 1 end
  return rows
end

-- resample.linear(size, new, align_corners): between the two old positions about the new one. Positions are middles of
-- pixels, or with align_corners the first and the last of both lie on each other.
function resample.linear(size, new, align_corners)
  local rows = zeros(size, new)
  for j = 0, new - 1 do
    local at = math.max((j + 0.5) * size / new - 0.5, 0)
    if align_corners then at = new > 1 and j * (size - 1) / (new - 1) or 0 end
    local first = math.min(math.floor(at), size - 1)
    local second, share = math.min(first + 1, size - 1), at - first
    rows[first + 1][j + 1] = rows[first + 1][j + 1] + 1 - share
    rows[second + 1][j + 1] = rows[second + 1][j + 1] + share
  end
  return rows
end

return resample
