-- augment/borders.lua: images with a border of their own pixels. Modes, as NumPy names them: "edge", the outermost
-- pixel; "reflect", the image mirrored at its outermost pixel; "symmetric", mirrored at its edge, so that the outermost
-- pixel is there twice.
local core = require "icl.core"
local ops = core.ops

local borders = {}

local function mirrored(x, dim)
  if dim == 2 then return mirrored(x:transpose(2, 3), 3):transpose(2, 3) end
  return ops.flip(x, core.full({ x:size(1) }, 1, "bool"))
end

-- What stands before and behind an axis, `length` of each.
local modes = {}

function modes.edge(x, dim, length)
  local shape = x:shape()
  local last = x:narrow(dim, shape[dim], 1)
  shape[dim] = length
  return x:narrow(dim, 1, 1):broadcast_to { shape = shape }, last:broadcast_to { shape = shape }
end

function modes.reflect(x, dim, length)
  return mirrored(x:narrow(dim, 2, length), dim), mirrored(x:narrow(dim, x:size(dim) - length, length), dim)
end

function modes.symmetric(x, dim, length)
  return mirrored(x:narrow(dim, 1, length), dim), mirrored(x:narrow(dim, x:size(dim) - length + 1, length), dim)
end

-- borders.padded(x, length, mode) -> images x with `length` pixels more on each side.
function borders.padded(x, length, mode)
  for dim = 2, 3 do
    local before, behind = modes[mode](x, dim, length)
    x = ops.concat(before, x, behind, { dim = dim })
  end
  return x
end

return borders
