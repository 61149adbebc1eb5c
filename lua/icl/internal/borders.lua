-- internal/borders.lua: images with a border of their own pixels. Modes, as NumPy names them: "edge", the outermost
-- pixel; "reflect", the image mirrored at its outermost pixel; "symmetric", mirrored at its edge, so that the outermost
-- pixel is there twice; "wrap", the other end.
local ops = require "icl.core".ops

local borders = {}

-- What stands before and behind an axis of a size, `count` of each.
local modes = {}

-- 1 1 | 1 2 3 4 | 4 4
function modes.edge(x, axis, count, size)
  local shape = x:shape()
  shape[axis] = count
  return x:narrow(axis, 1, 1):broadcast_to { shape = shape }, x:narrow(axis, size, 1):broadcast_to { shape = shape }
end

-- 3 2 | 1 2 3 4 | 3 2
function modes.reflect(x, axis, count, size)
  return x:narrow(axis, 2, count):flip(axis), x:narrow(axis, size - count, count):flip(axis)
end

-- 2 1 | 1 2 3 4 | 4 3
function modes.symmetric(x, axis, count, size)
  return x:narrow(axis, 1, count):flip(axis), x:narrow(axis, size - count + 1, count):flip(axis)
end

-- 3 4 | 1 2 3 4 | 1 2
function modes.wrap(x, axis, count, size)
  return x:narrow(axis, size - count + 1, count), x:narrow(axis, 1, count)
end

-- borders.padded(x, { rows, columns }, mode) -> x (n, h, w, c) with so many more at each side.
function borders.padded(x, padding, mode)
  for i, count in ipairs(padding) do
    local axis = i + 1
    if count > 0 then
      local before, behind = modes[mode](x, axis, count, x:size(axis))
      x = ops.concat(before, x, behind, { dim = axis })
    end
  end
  return x
end

return borders
