-- test_parts.lua: parts of tensors, tensors out of parts, and what repeats and turns axes.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"

local function same(tensor, expected, shape)
  local list = tensor:rank() == 0 and { tensor:item() } or tensor:reshape(-1):totable()
  check.equal(#list, #expected)
  for i, value in ipairs(expected) do check.near(list[i], value, 1e-6) end
  if shape then check.equal(table.concat(tensor:shape(), " "), shape) end
end

local x = icl.tensor { { 1, 2, 3 }, { 4, 5, 9 } }
local cube = icl.arange(24):reshape(2, 3, 4):float()

check("positions and ranges of the first axis", function()
  same(x[1], { 1, 2, 3 }, "3")
  same(x[-1], { 4, 5, 9 }, "3")
  same(x[2][3], { 9 }, "")
  same(x:at(2), { 4, 5, 9 })
  same(icl.arange(5)[{ 2, 4 }], { 1, 2, 3 }, "3")
  same(icl.arange(5)[{ -2, -1 }], { 3, 4 })
  same(icl.arange(5)[{ 4 }], { 3, 4 })
  same(icl.state { { 1, 2 }, { 3, 4 } }[2], { 3, 4 }, "2")
  local rows = 0
  for i, row in ipairs(x) do
    rows = rows + 1
    same(row, x:narrow(1, i, 1):reshape(-1):totable())
  end
  check.equal(rows, 2)
  check.equal(x[3], nil)
end)

check("positions that are not there", function()
  check.raises(function() return x[4] end, "x%[4%]: there is no such position; axis 1 has 2")
  check.raises(function() return x[0] end, "x%[0%]: there is no such position")
  check.raises(function() return x[-3] end, "x%[%-3%]")
  check.raises(function() return x[1.5] end, "x%[1.5%]")
  check.raises(function() return x[x] end, "gather%(%) takes a tensor of positions")
  check.raises(function() return x[{ 2, 1 }] end, "x%[{ 2, 1 }%]: these are no positions from first to last")
  check.raises(function() return x[{ 1, 3 }] end, "axis 1, which has 2")
  check.raises(function() return x[{ 1, 2, 3 }] end, "3 is an argument too many; it takes two positions")
  check.raises(function() return icl.tensor(1)[1] end, "a scalar has no positions")
end)

check("select", function()
  same(x:select(2, 1), { 1, 4 }, "2")
  same(x:select(-1, -1), { 3, 9 }, "2")
  same(cube:select(2, 3), { 8, 9, 10, 11, 20, 21, 22, 23 }, "2 4")
  check.raises(function() x:select(2, 4) end, "select: there is no position 4 along axis 2, which has 3")
  check.raises(function() x:select(3, 1) end, "select: there is no axis 3 among 2")
end)

check("another position is no new plan", function()
  local s = icl.state { 0, 0, 0 }
  local function step(i)
    icl.step(function() s:write(s + x[i] + x:select(1, -i) + cube:roll(i, 3):select(2, i):mean()) end)
  end
  step(1)
  local plans = icl.statistics().plans_made
  step(2)
  check.equal(icl.statistics().plans_made, plans)
  same(s, { 10 + 7.5 + 11.5, 14 + 19, 24 + 19 }, "3")
end)

check("split and chunk", function()
  local function sizes(list, axis)
    local result = {}
    for i, part in ipairs(list) do result[i] = part:size(axis or 1) end
    return table.concat(result, " ")
  end
  check.equal(sizes(icl.arange(7):split(3)), "3 3 1")
  same(icl.arange(7):split(3)[2], { 3, 4, 5 })
  check.equal(sizes(cube:split({ 1, 3 }, -1), 3), "1 3")
  same(cube:split({ 1, 3 }, -1)[1], { 0, 4, 8, 12, 16, 20 }, "2 3 1")
  check.equal(sizes(icl.arange(7):chunk(3)), "3 3 1")
  check.equal(sizes(icl.arange(6):chunk(4)), "2 2 2")
  check.equal(sizes(x:chunk(3, 2), 2), "1 1 1")
  check.raises(function() cube:split({ 1, 2 }, 3) end, "split: the sizes add up to 3, but axis 3 has 4 positions")
  check.raises(function() cube:split({ 1, 4 }, 3) end, "add up to 5")
  check.equal(sizes(icl.arange(2):split { 0, 2 }), "0 2")
  check.equal(sizes(icl.arange(2):split { 2, 0 }), "2 0")
  check.raises(function() cube:split(0) end, "split: size is 0; it must be an integer of at least 1")
  check.raises(function() cube:chunk() end, "chunk: count is nil")
end)

check("stack and concat of any number", function()
  local rows = {}
  for i = 1, 19 do rows[i] = icl.tensor { i, -i } end
  local column = icl.stack(rows)
  check.equal(table.concat(column:shape(), " "), "19 2")
  same(column:select(1, 17), { 17, -17 })
  same(icl.stack({ rows[1], rows[2] }, 2), { 1, 2, -1, -2 }, "2 2")
  same(icl.stack({ rows[1], rows[2] }, -1), { 1, 2, -1, -2 }, "2 2")
  local long = icl.concat(rows)
  check.equal(long:size(1), 38)
  same(long[{ 35, 38 }], { 18, -18, 19, -19 })
  same(icl.concat({ x, x }, -1), { 1, 2, 3, 1, 2, 3, 4, 5, 9, 4, 5, 9 }, "2 6")
  local w = icl.ones { 1, 2 }:requires_grad()
  local list = {}
  for i = 1, 9 do list[i] = i * w end
  same(icl.grad(icl.concat(list):sum(), { w })[1], { 45, 45 })
  check.raises(function() icl.stack {} end, "icl.stack: the list is empty")
  check.raises(function() icl.stack { x, x[1] } end, "icl.stack: entry 2 is %(3%), and the first %(2, 3%)")
  check.raises(function() icl.concat(x, x) end, "icl.concat: it takes a list of tensors and an axis, not a")
  check.raises(function() icl.concat { x, 5 } end, "icl.concat: entry 2 is 5; it must be a tensor")
end)

check("flip", function()
  same(x:flip(2), { 3, 2, 1, 9, 5, 4 }, "2 3")
  same(x:flip(1), { 4, 5, 9, 1, 2, 3 }, "2 3")
  same(x:flip { 1, -1 }, { 9, 5, 4, 3, 2, 1 }, "2 3")
  same(cube:flip(2)[2], { 20, 21, 22, 23, 16, 17, 18, 19, 12, 13, 14, 15 }, "3 4")
  same(icl.arange(3):flip(1), { 2, 1, 0 })
  local image = icl.arange(4):reshape(1, 2, 2, 1)
  same(image:flip(3), { 1, 0, 3, 2 }, "1 2 2 1")
  same(image:flip(icl.tensor { true }), { 1, 0, 3, 2 })
  check.raises(function() x:flip() end, "flip: it takes axes")
  check.raises(function() x:flip(3) end, "flip: there is no axis 3 among 2")
end)

check("roll", function()
  same(x:roll(1, 2), { 3, 1, 2, 9, 4, 5 }, "2 3")
  same(x:roll(-1, -1), { 2, 3, 1, 5, 9, 4 })
  same(x:roll(4, 2), { 3, 1, 2, 9, 4, 5 })
  same(x:roll(1, 1), { 4, 5, 9, 1, 2, 3 })
  same(x:roll(1), { 9, 1, 2, 3, 4, 5 }, "2 3")
  check.raises(function() x:roll(0.5, 1) end, "roll: the shift is 0.5; it must be an integer")
end)

check("repeating", function()
  same(x:repeat_(1, 2), { 1, 2, 3, 1, 2, 3, 4, 5, 9, 4, 5, 9 }, "2 6")
  same(icl.tensor { 1, 2 }:repeat_(2, 2), { 1, 2, 1, 2, 1, 2, 1, 2 }, "2 4")
  same(x:repeat_(2, 1), { 1, 2, 3, 4, 5, 9, 1, 2, 3, 4, 5, 9 }, "4 3")
  check.equal(table.concat(icl.ones { 1, 1, 1, 1, 1, 2 }:repeat_(1, 1, 1, 1, 3, 1):shape(), " "), "1 1 1 1 3 2")
  same(x:repeat_interleave(2, 2), { 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 9, 9 }, "2 6")
  same(x:repeat_interleave(2, 1), { 1, 2, 3, 1, 2, 3, 4, 5, 9, 4, 5, 9 }, "4 3")
  same(icl.tensor { { 1 }, { 2 } }:expand(-1, 3), { 1, 1, 1, 2, 2, 2 }, "2 3")
  same(icl.tensor { 1, 2 }:expand(2, -1), { 1, 2, 1, 2 }, "2 2")
  check.raises(function() x:repeat_(2) end, "repeat_: 1 counts for a tensor of rank 2")
  check.raises(function() x:repeat_(0, 1) end, "repeat_: count 1 is 0")
  check.raises(function() x:expand(6) end, "expand: 1 sizes for a tensor of rank 2")
  check.raises(function() x:expand(-1, 2, 3) end, "expand: size 1 is %-1, but this axis is a new one")
end)

check("index_select", function()
  same(x:index_select(2, icl.tensor({ 2, 0 }, { dtype = "i64" })), { 3, 1, 9, 4 }, "2 2")
  same(x:index_select(1, icl.tensor({ 1 }, { dtype = "i64" })), { 4, 5, 9 }, "1 3")
end)

check("gradients of parts", function()
  local z = icl.tensor({ { 1, 2 }, { 3, 4 } }, { dtype = "f64" })
  check.near(icl.gradcheck(function(a)
    return (a[1] * a:select(2, 2) + a:roll(1, 2)[2] * a:flip(1)[1] + a:repeat_(1, 2):flip(2)[1][{ 2, 3 }]) ^ 2
  end, { z }), 0, 1e-6)
end)

check.close()
