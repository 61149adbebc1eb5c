-- test_order.lua: what goes along one axis: running sums, sort, the k largest, elements at positions.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"

local function values(t) return table.concat(t:reshape(-1):totable(), " ") end
local function same(tensor, expected, shape)
  check.equal(values(tensor), expected)
  if shape then check.equal(table.concat(tensor:shape(), " "), shape) end
end
local function integers(list) return icl.tensor(list, { dtype = "i64" }) end

local x = icl.tensor { { 3, 1, 2 }, { 5, 4, 5 } }
local order = integers { { 2, 0 }, { 1, 1 } }

check("cumsum", function()
  same(x:cumsum(2), "3.0 4.0 6.0 5.0 9.0 14.0", "2 3")
  same(x:cumsum(1), "3.0 1.0 2.0 8.0 5.0 7.0")
  same(x:cumsum(-1, true), "6.0 3.0 2.0 14.0 9.0 5.0")
  same(x:cumsum { dim = 1, reverse = true }, "8.0 5.0 7.0 5.0 4.0 5.0")
  same(x:gt(2):cumsum(2), "1 1 1 1 2 3")
  check.equal(x:cast("bf16"):cumsum(1):dtype(), "f32")
  check.raises(function() x:cumsum() end, "cumsum: there is no axis nil among 2")
  check.raises(function() x:cumsum(1, 2) end, "cumsum: reverse is 2")
end)

check("sort and argsort", function()
  local sorted, index = x:sort()
  same(sorted, "1.0 2.0 3.0 4.0 5.0 5.0", "2 3")
  same(index, "1 2 0 1 0 2")
  same(x:argsort(2, true), "0 2 1 0 2 1")
  same(x:argsort { descending = true, dim = 1 }, "1 1 1 0 0 0")
  same((x:sort(1, true)), "5.0 4.0 5.0 3.0 1.0 2.0")
  same((integers { 7, -3, 7, 0 }:sort()), "-3 0 7 7")
  check.raises(function() x:sort(3) end, "sort: there is no axis 3 among 2")
  check.raises(function() x:sort(1, 1) end, "sort: descending is 1")
  check.raises(function() x:argsort(1, true, 2) end, "argsort: 2 is an argument too many")
end)

check("NaN is larger than every number, equals keep their order", function()
  local nan = 0 / 0
  local y = icl.tensor { 1, nan, math.huge, 1, -math.huge, nan, 0, -0.0 }
  same(y:argsort(), "4 6 7 0 3 2 1 5")
  same(y:argsort(1, true), "1 5 2 0 3 6 7 4")
  same(select(2, y:topk(3)), "1 5 2")
  same(select(2, y:topk(3, 1, false)), "4 6 7")
end)

check("topk", function()
  local largest, index = x:topk(2)
  same(largest, "3.0 2.0 5.0 5.0", "2 2")
  same(index, "0 2 0 2")
  same((x:topk(1, 1)), "5.0 4.0 5.0", "1 3")
  same((x:topk { k = 2, largest = false }), "1.0 2.0 4.0 5.0")
  same((x:topk(0)), "", "2 0")
  check.raises(function() x:topk(4) end, "topk: k %(of 3 positions along axis 2%) is 4; it must be an integer from 0 to 3")
  check.raises(function() x:topk() end, "topk: k .* is nil")
  check.raises(function() x:topk(1, 1, 0) end, "topk: largest is 0")
end)

check("gather along an axis, and rows", function()
  same(x:gather(2, order), "2.0 3.0 4.0 4.0", "2 2")
  same(x:gather { dim = -1, index = order }, "2.0 3.0 4.0 4.0")
  same(x:gather(1, integers { { 1, 0, 1 } }), "5.0 1.0 5.0", "1 3")
  same(x:gather(1, integers { { 0 }, { 1 }, { 0 } }), "3.0 5.0 3.0", "3 1")
  same(x:gather(integers { 1, 1 }), "5.0 4.0 5.0 5.0 4.0 5.0", "2 3")
  same(x:gather(icl.state(integers { 1 })), "5.0 4.0 5.0")
  check.raises(function() x:gather(2, integers { { 3 } }) end, "index 3 at position 0 must be from 0 to 2")
  check.raises(function() x:gather(2, integers { { 1 }, { 1 }, { 1 } }) end,
    "gather: index %(3, 1%) does not fit %(2, 3%): along axes other than 2 it must not be longer")
  check.raises(function() x:gather(2, integers { 1 }) end, "gather: index %(1%) does not fit")
  check.raises(function() x:gather(2, x) end, "index must be i64, not f32")
  check.raises(function() x:gather(2) end, "gather: index is nil; it must be a tensor")
  check.raises(function() x:gather(order, 1) end, "gather")
end)

check("what is added at positions of an axis", function()
  local src = icl.tensor { { 1, 2 }, { 3, 4 } }
  same(x:scatter_add(2, order, src), "5.0 1.0 3.0 5.0 11.0 5.0", "2 3")
  same(x:scatter_add { dim = 1, index = integers { { 1, 0, 1 }, { 1, 1, 0 }, { 0, 0, 0 } }, src = icl.ones { 3, 3 } },
    "4.0 3.0 4.0 7.0 5.0 6.0")
  same(x:index_add(1, integers { 1, 1, 0 }, icl.tensor { { 1, 1, 1 }, { 2, 2, 2 }, { 5, 6, 7 } }),
    "8.0 7.0 9.0 8.0 7.0 8.0", "2 3")
  same(x:index_add(-1, integers { 2, 2 }, src), "3.0 1.0 5.0 5.0 4.0 12.0")
  icl.gradcheck(function(a, b)
    return (a:scatter_add(2, order, b) ^ 2):sum() + (a:index_add(2, integers { 0, 2 }, b) ^ 3):sum()
  end, { x:cast "f64", src:cast "f64" })
  check.raises(function() x:scatter_add(2, integers { { 0, 3 }, { 1, 1 } }, src) end, "must be from 0 to 2")
  check.raises(function() x:scatter_add(2, order, x) end, "scatter_add: src %(2, 3%) and index %(2, 2%) must be of one")
  check.raises(function() x:index_add(1, integers { 0 }, x) end, "index_add: src %(2, 3%) must have the shape of")
  check.raises(function() x:index_add(1, order) end, "index_add: src is nil; it must be a tensor")
end)

check("gradients go back to where elements come from", function()
  local function gradient(f)
    local y = icl.tensor { { 3, 1, 2 }, { 5, 4, 5 } }:requires_grad()
    return icl.grad(f(y), { y })[1]
  end
  same(gradient(function(y) return (y:sort() * icl.tensor { 1, 2, 3 }):sum() end), "3.0 1.0 2.0 2.0 1.0 3.0")
  same(gradient(function(y) return (y:topk(1)):sum() end), "1.0 0.0 0.0 1.0 0.0 0.0")
  same(gradient(function(y) return y:gather(2, order):sum() end), "1.0 0.0 1.0 0.0 2.0 0.0")
  same(gradient(function(y) return y:gather(1, integers { { 1 } }):sum() end), "0.0 0.0 0.0 1.0 0.0 0.0")
  same(gradient(function(y) return y:cumsum(2):sum() end), "3.0 2.0 1.0 3.0 2.0 1.0")
end)

check("in a step, image by image or not, as outside", function()
  icl.random.seed(2)
  local y = icl.random.normal { 9, 70 }
  local function all(t)
    local sorted, index = t:sort(2)
    return sorted, index, (t:sort(1)), (t:topk(5)), t:cumsum(1), t:cumsum(2), t:gather(1, integers { { 8, 0, 3 } })
  end
  local plain, step = table.pack(all(y)), table.pack(icl.step(function() return all(y * 1) end))
  for i = 1, plain.n do check.equal(values(plain[i]), values(step[i])) end
end)

check("smallest of every dtype", function()
  for _, dtype in ipairs { "u8", "i32", "i64", "f32", "bf16", "f64" } do
    local y = icl.tensor({ 9, 4, 200, 4 }, { dtype = dtype })
    check.equal(y:min():item(), 4)
    check.equal(y:min():dtype(), dtype)
    check.equal(y:argmin():item(), 1)
  end
  check.equal(icl.tensor { true, false }:min():item(), false)
  check.equal(icl.tensor { true, true }:min():item(), true)
  check.equal(integers { math.mininteger, 0 }:min():item(), math.mininteger)
  check.equal(x:argmin(1):dtype(), "i64")
end)

check.close()
