-- nn/border.lua: images with a border that is made of their own pixels, for convolutions that are not padded with
-- zeros.
local core = require "icl.core"
local fail = require "icl.internal.fail"

local border = { modes = { "zeros", "reflect", "replicate", "circular" } }

-- By mode, what stands before and behind `size` positions of an axis.
local sides = {}

-- The mirror image, without the outermost pixel: 3 2 | 1 2 3 4 | 3 2.
function sides.reflect(x, axis, count, size)
  return x:narrow(axis, 2, count):flip(axis), x:narrow(axis, size - count, count):flip(axis)
end

-- The outermost pixel: 1 1 | 1 2 3 4 | 4 4.
function sides.replicate(x, axis, count)
  return x:narrow(axis, 1, 1):repeat_interleave(count, axis), x:narrow(axis, -1, 1):repeat_interleave(count, axis)
end

-- The other end: 3 4 | 1 2 3 4 | 1 2.
function sides.circular(x, axis, count, size)
  return x:narrow(axis, size - count + 1, count), x:narrow(axis, 1, count)
end

-- The most that a border may take of `size` positions.
local function most(mode, size)
  return mode == "reflect" and size - 1 or mode == "circular" and size or math.huge
end

-- border.add(what, x, padding, mode) -> x (n, h, w, c) with { rows, columns } more at each side; messages begin with
-- `what`.
function border.add(what, x, padding, mode)
  for i, count in ipairs(padding) do
    local axis, size = i + 1, x:size(i + 1)
    local limit = most(mode, size)
    if count > limit then
      fail('%s: padding_mode "%s" can take %d of %d pixels at most, not %d', what, mode, limit, size, count)
    elseif count > 0 then
      local before, behind = sides[mode](x, axis, count, size)
      x = core.ops.concat(before, x, behind, { dim = axis })
    end
  end
  return x
end

return border
