-- augment/boxes.lua: rectangles of pixels. A box is { top =, left =, bottom =, right = }, the last two outside it; each
-- is a number for the whole batch or an f32 tensor (n, 1, 1, 1). It may reach over the image's edges or be empty.
local core = require "icl.core"
local ops = core.ops
local numbers = require "icl.internal.numbers"

local boxes = {}

-- Rows (1, h, 1, 1) and columns (1, 1, w, c) by number, f32, for images of a size; one pair a size.
local grids = {}

local function grid(h, w, c)
  local key = ("%d %d %d"):format(h, w, c)
  if grids[key] then return table.unpack(grids[key]) end
  local rows, columns = numbers.sequence(h), {}
  for j = 0, w * c - 1 do columns[j + 1] = j // c end
  grids[key] = { core.new_tensor(rows, "f32", { 1, h, 1, 1 }), core.new_tensor(columns, "f32", { 1, 1, w, c }) }
  return table.unpack(grids[key])
end

local function within(places, first, behind)
  return ops.ge(places, first) * ops.lt(places, behind)
end

-- boxes.mask(box, x [, which]) -> bool, true at the pixels of images x (n, h, w, c) that lie in the box; `which`, bool
-- (n, 1, 1, 1), chooses images.
function boxes.mask(box, x, which)
  local _, h, w, c = table.unpack(x:shape())
  local rows, columns = grid(h, w, c)
  local inside = within(rows, box.top, box.bottom)
  if which then inside = inside * which end
  return inside * within(columns, box.left, box.right)
end

return boxes
