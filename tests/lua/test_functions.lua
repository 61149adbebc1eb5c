-- test_functions.lua: functions of elements and rows as methods of tensors: activations, softmax along any axis, tests.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"

local function same(tensor, expected, shape, tolerance)
  local list = tensor:rank() == 0 and { tensor:item() } or tensor:reshape(-1):totable()
  check.equal(#list, #expected)
  for i, value in ipairs(expected) do
    if math.type(value) then
      check.near(list[i], value, tolerance or 1e-6)
    else
      check.equal(list[i], value)
    end
  end
  if shape then check.equal(table.concat(tensor:shape(), " "), shape) end
end

local x = icl.tensor { { 1, 2, 3 }, { 4, 5, 9 } }

check("activations have PyTorch's values", function()
  local v = icl.tensor { -4, -1, 0, 0.5, 3.5 }
  same(v:gelu(), { -0.00012668, -0.15865525, 0, 0.34573123, 3.49918580 })
  same(v:gelu "tanh", { -0.00007025, -0.15880801, 0, 0.34571401, 3.49938369 })
  same(v:silu(), { -0.07194484, -0.26894143, 0, 0.31122968, 3.39740719 })
  same(v:softplus(), { 0.01814993, 0.31326169, 0.69314718, 0.97407698, 3.52975042 })
  same(v:hardswish(), { 0, -1 / 3, 0, 0.5 * 3.5 / 6, 3.5 })
  same(v:leaky_relu(), { -0.04, -0.01, 0, 0.5, 3.5 })
  same(v:leaky_relu(0.2), { -0.8, -0.2, 0, 0.5, 3.5 })
  same(v:elu(), { -0.98168436, -0.63212056, 0, 0.5, 3.5 })
  same(v:elu(2), { -1.96336872, -1.26424112, 0, 0.5, 3.5 })
  same(v:erf(), { -0.99999998, -0.84270079, 0, 0.52049988, 0.99999926 })
  same(icl.tensor { -2.5, -1.5, -0.5, 0.5, 1.5, 2.4, 2.6 }:round(), { -2, -2, 0, 0, 2, 2, 3 })
  check.raises(function() v:gelu "exact" end, "gelu: approximate is exact; it must be one of none, tanh")
  check.raises(function() v:leaky_relu(1, 2) end, "leaky_relu: 2 is an argument too many")
end)

check("small and large numbers keep their digits", function()
  local v = icl.tensor { -30, -100, 100 }
  local list = v:softplus():totable()
  check.near(list[1] / math.exp(-30), 1, 1e-5)
  check.equal(list[3], 100)
  check.near(icl.tensor { -1e-6 }:elu():item(), -1e-6, 1e-12)
  check.equal(icl.tensor { -math.huge }:hardswish():item(), 0)
  check.equal(icl.tensor { -math.huge }:softplus():item(), 0)
end)

check("softmax along any axis", function()
  local e = math.exp(3) + 1
  same(x:softmax(1):narrow(2, 1, 1), { 1 / e, math.exp(3) / e }, "2 1")
  same(x:softmax { dim = -1 }, x:softmax():reshape(-1):totable(), "2 3")
  same(x:log_softmax(1):narrow(2, 1, 1), { -math.log(e), 3 - math.log(e) })
  check.equal(table.concat(icl.ones { 2, 3, 4, 5 }:softmax(2):shape(), " "), "2 3 4 5")
  same(icl.ones { 2, 4, 3 }:softmax(2):sum(2), { 1, 1, 1, 1, 1, 1 })
  check.raises(function() x:softmax(3) end, "softmax: there is no axis 3 among 2")
end)

check("logsumexp", function()
  local sum = 1 + math.exp(-1) + math.exp(-2) + math.exp(-3)
  same(icl.tensor { { 1, 2 }, { 3, 4 } }:logsumexp(), { 4 + math.log(sum) }, "")
  same(x:logsumexp(1, true), { 4 + math.log(1 + math.exp(-3)), 5 + math.log(1 + math.exp(-3)),
                               9 + math.log(1 + math.exp(-6)) }, "1 3")
  same(icl.tensor { 1000, 1000 }:logsumexp(), { 1000 + math.log(2) }, "", 1e-3)
  check.equal(icl.tensor { -math.huge, -math.huge }:logsumexp():item(), -math.huge)
  check.equal(icl.tensor { math.huge, 0 }:logsumexp():item(), math.huge)
  local z = icl.tensor({ { 1, 2, 0 }, { 3, -1, 2 } }, { dtype = "f64" })
  check.near(icl.gradcheck(function(a) return a:logsumexp(2) end, { z }), 0, 1e-6)
end)

check("one_hot, masked_fill, isnan, any, all", function()
  same(icl.tensor({ 2, 0 }, { dtype = "i64" }):one_hot(3), { 0, 0, 1, 1, 0, 0 }, "2 3")
  same(icl.tensor({ { 1 }, { 0 } }, { dtype = "i64" }):one_hot { classes = 2 }, { 0, 1, 1, 0 }, "2 1 2")
  same(x:masked_fill(x:gt(3), 0), { 1, 2, 3, 0, 0, 0 }, "2 3")
  check.equal(x:gt(1):masked_fill(x:gt(3), 0):dtype(), "bool")
  check.equal(icl.arange(3):masked_fill(icl.tensor { true }, 2):dtype(), "i64")
  same(icl.zeros { 0, 2 }:any(), { false })
  same(icl.zeros { 0, 2 }:all(1), { true, true })
  same(icl.tensor { 1, 0 / 0, math.huge }:isnan(), { false, true, false })
  same(x:gt(4):any(2), { false, true }, "2")
  same(x:gt(3):all(2), { false, true })
  same(x:any(), { true }, "")
  same(icl.tensor { 1, 0 }:all { keepdim = true }, { false }, "1")
  check.equal(icl.step(function() return icl.tensor { 1, 0 / 0 }:isnan():any() end):item(), true)
  check.raises(function() icl.arange(3):one_hot() end, "one_hot: classes is nil")
  check.raises(function() x:masked_fill(true, 0) end, "masked_fill: the mask is true; it must be a tensor")
end)

check("products of many matrices", function()
  local a, b = icl.random.normal { 2, 3, 4, 5 }, icl.random.normal { 2, 3, 5, 6 }
  local y = a:bmm(b)
  check.equal(table.concat(y:shape(), " "), "2 3 4 6")
  local expected = (a:unsqueeze(4) * b:transpose():unsqueeze(3)):sum(5)
  check.near((y - expected):abs():max():item(), 0, 1e-5)
  check.near((a[2][3]:matmul(b[2][3]) - y[2][3]):abs():max():item(), 0, 1e-5)
  local f64 = { dtype = "f64" }
  local left, right = icl.tensor({ { { 1, 2 }, { 3, -1 } } }, f64), icl.tensor({ { { 0.5 }, { 2 } } }, f64)
  check.near(icl.gradcheck(function(l, r) return l:bmm(r) ^ 2 end, { left, right }), 0, 1e-6)
  check.equal(left:bmm(right:float()):dtype(), "f64")
  check.equal(left:float():bmm(right):dtype(), "f32")
  for _, shape in ipairs { { 0, 2, 3 }, { 2, 0, 3 }, { 2, 0, 0 } } do
    local none, other = icl.zeros(shape):requires_grad(), icl.zeros { shape[1], shape[3], 4 }:requires_grad()
    local y = none:bmm(other)
    check.equal(table.concat(y:shape(), " ") .. " " .. y:dtype(), ("%d %d 4 f32"):format(shape[1], shape[2]))
    local gradients = icl.grad(y:sum(), { none, other })
    check.equal(table.concat(gradients[2]:shape(), " "), table.concat(other:shape(), " "))
    check.equal(gradients[2]:sum():item(), 0)
  end
  check.equal(icl.zeros { 2, 3, 0 }:bmm(icl.zeros { 2, 0, 0 }):count(), 0)
  check.raises(function() a:bmm(a) end, "bmm: matrices %(2, 3, 4, 5%) and %(2, 3, 4, 5%) do not fit")
  check.raises(function() a[1][1]:bmm(b[1][1]) end, "do not fit")
end)

check("a vector is one row of linear", function()
  local w, b = icl.tensor { { 1, 2, 3 }, { 4, 5, 6 } }, icl.tensor { 0, 0, 1 }
  same(icl.tensor({ 2, 1 }):linear(w, b), { 6, 9, 13 }, "3")
  check.equal(table.concat(icl.nn.linear(4, 3)(icl.random.normal { 4 }):shape(), " "), "3")
  check.raises(function() icl.tensor({ 2, 1, 1 }):linear(w) end, "matmul: ")
end)

check("the condition of where comes first", function()
  local x = icl.tensor { -1, 2, -3 }
  same(x:gt(0):where(x, 0), { 0, 2, 0 })
  same(icl.tensor({ 0, 1, 2 }):where(x, 9), { 9, 2, -3 })
  check.equal(x:gt(0):where(x:lt(5), x:lt(-2)):all():item(), false)
  check.raises(function() x:where(x:gt(0), 0) end,
    "where: the condition comes first, condition:where%(x, y%), and here it is f32 %(3%) before bool %(3%)")
end)

check("what would be another number without a word is an error", function()
  local x = icl.tensor { { 1, 2 }, { 3, 4 } }
  local whole = icl.arange(3)
  same(whole:masked_fill(whole:gt(1), 7.0), { 0, 1, 7 })
  check.raises(function() whole:masked_fill(whole:gt(1), 0.5) end, "masked_fill: 0.5 is no value of i64; cast")
  check.raises(function() whole:masked_fill(whole:gt(1), icl.tensor(0.5)) end, "a tensor is no value of i64")
  check.raises(function() x:flip(1, -2) end, "flip: axis 1 is given twice")
  check.raises(function() x:transpose(1) end, "transpose: it takes two axes, or none, and only 1 was given")
  check.raises(function() x:clamp(1, -1) end, "clamp: the lower limit 1 is above the upper one, %-1")
  for _, limits in ipairs { { 0 / 0, 2 }, { 0, 0 / 0 }, { 0 / 0 } } do
    check.raises(function() x:clamp(limits[1], limits[2]) end, "clamp: a limit is nan")
  end
  check.raises(function() x:clamp() end, "clamp: it takes a lower limit, an upper one, or both")
  check.raises(function() x:size() end, "size: an axis is missing; shape%(%) gives all sizes")
  check.raises(function() icl.stack(x, x) end, "not a tensor")
end)

check("one limit of clamp, and all axes of size 1", function()
  local x = icl.tensor { -2, 0, 3, 0 / 0 }
  same(x:clamp(-1):narrow(1, 1, 3), { -1, 0, 3 })
  same(x:clamp(nil, 1):narrow(1, 1, 3), { -2, 0, 1 })
  check.equal(x:clamp(-1):isnan():totable()[4], true)
  check.equal(x:clamp(nil, 1):isnan():totable()[4], true)
  check.equal(icl.arange(3):clamp(1):dtype(), "i64")
  same(x:narrow(1, 1, 2):reshape(1, 2, 1):squeeze(), { -2, 0 }, "2")
  check.equal(x:narrow(1, 1, 1):squeeze():rank(), 0)
end)

check("slopes may be trained", function()
  local slope = icl.state({ 0.25 }, { trainable = true })
  icl.step(function()
    icl.tensor { -2, 3 }:leaky_relu(slope):sum():backward()
    slope:write(slope - slope.grad)
  end)
  same(slope, { 2.25 })
end)

check("pools", function()
  local y = icl.arange(16):float():reshape(1, 4, 4, 1)
  same(y:max_pool2d(2), { 5, 7, 13, 15 }, "1 2 2 1")
  same(y:max_pool2d { kernel = 2 }, { 5, 7, 13, 15 })
  same(y:max_pool2d(2, { stride = 1 }), { 5, 6, 7, 9, 10, 11, 13, 14, 15 })
  same(y:avg_pool2d({ 4, 2 }), { 6.5, 8.5 }, "1 1 2 1")
  same(y:avg_pool2d { kernel = 4, stride = 3, padding = 1 }, icl.nn.avg_pool2d(4, { stride = 3, padding = 1 })(y)
    :reshape(-1):totable())
  check.raises(function() y:max_pool2d() end, "max_pool2d: kernel is nil")
  check.raises(function() y:max_pool2d(2, { strides = 1 }) end, "max_pool2d: there is no option 'strides'")
  check.raises(function() y:max_pool2d({ kernel = 2 }, { stride = 1 }) end, "max_pool2d: .* is an argument too many")
end)

check("matmul of any rank", function()
  icl.random.seed(4)
  local a, b = icl.random.normal { 2, 1, 3, 4 }, icl.random.normal { 5, 4, 6 }
  local y = a:matmul(b)
  check.equal(table.concat(y:shape(), " "), "2 5 3 6")
  for i = 1, 2 do
    for j = 1, 5 do same(y[i][j], icl.ops.matmul(a[i][1], b[j]):reshape(-1):totable(), "3 6", 1e-5) end
  end
  same(a:matmul(b[1]), (a:matmul(b)):select(2, 1):reshape(-1):totable(), "2 1 3 6", 1e-5)
  same(x:matmul(icl.tensor { 1, 0, 2 }), { 7, 22 }, "2")
  same(icl.tensor { 1, 2 }:matmul(x), { 9, 12, 21 }, "3")
  same(icl.tensor { 1, 2 }:matmul(icl.tensor { 3, 4 }), { 11 }, "")
  same(icl.tensor { 1, 2, 1, 0 }:matmul(b), icl.tensor { { 1, 2, 1, 0 } }:matmul(b):reshape(-1):totable(), "5 6", 1e-5)
  same(b:matmul(icl.ones { 6 }), b:sum(3):reshape(-1):totable(), "5 4", 1e-5)
  same(x:matmul(x, { transpose_b = true }), { 14, 41, 41, 122 }, "2 2")
  local none = icl.zeros({ 5, 2, 0 }):matmul(icl.zeros { 0, 3 })  -- sums of nothing
  check.equal(table.concat(none:shape(), " "), "5 2 3")
  check.equal(none:abs():max():item(), 0)
  check.raises(function() x:matmul(x) end, "matmul: a has 3 columns, but b has 2 rows")
  check.raises(function() a:matmul(icl.ones { 3, 4, 6 }[1][1]) end, "matmul: .2, 1, 3, 4. and .6. do not fit")
  check.raises(function() icl.ones { 3, 3, 4 }:matmul(icl.ones { 2, 4, 5 }) end, "what is in front must broadcast")
  check.raises(function() x:matmul(icl.tensor(2)) end, "matmul: %(2, 3%) and %(%) do not fit")
  check.raises(function() x:matmul(2) end, "matmul: b is 2; it must be a tensor")
  local p, q = icl.ones { 3, 2, 4 }:requires_grad(), icl.ones { 4, 5 }:requires_grad()
  local grads = icl.grad(p:matmul(q):sum(), { p, q })
  same(grads[1], icl.full({ 24 }, 5):totable(), "3 2 4")
  same(grads[2], icl.full({ 20 }, 6):totable(), "4 5")
end)

check.close()
