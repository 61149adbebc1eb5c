-- nn/border.lua: the padding of convolutions that are not padded with zeros, by PyTorch's names.
local borders = require "icl.internal.borders"
local fail = require "icl.internal.fail"

local border = { modes = { "zeros", "reflect", "replicate", "circular" } }

local modes = { reflect = "reflect", replicate = "edge", circular = "wrap" }

-- The most that a border may take of `size` positions.
local function most(mode, size)
  return mode == "reflect" and size - 1 or mode == "circular" and size or math.huge
end

-- border.add(what, x, padding, mode) -> x (n, h, w, c) with { rows, columns } more at each side; messages begin with
-- `what`.
function border.add(what, x, padding, mode)
  for i, count in ipairs(padding) do
    local size = x:size(i + 1)
    local limit = most(mode, size)
    if count > limit then
      fail('%s: padding_mode "%s" can take %d of %d pixels at most, not %d', what, mode, limit, size, count)
    end
  end
  return borders.padded(x, padding, modes[mode])
end

return border
