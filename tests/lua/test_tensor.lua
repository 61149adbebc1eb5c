-- test_tensor.lua: methods of tensors that are made of ops.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"

local function values(tensor)
  return tensor:rank() == 0 and { tensor:item() } or tensor:reshape(-1):totable()
end

local function same(tensor, expected, shape)
  local list = values(tensor)
  check.equal(#list, #expected)
  for i, value in ipairs(expected) do check.near(list[i], value, 1e-6) end
  if shape then check.equal(table.concat(tensor:shape(), " "), shape) end
end

local x = icl.tensor { { 1, 2, 3 }, { 4, 5, 9 } }

check("makers", function()
  same(icl.zeros { 2 }, { 0, 0 })
  same(icl.ones { 1, 2 }, { 1, 1 }, "1 2")
  same(icl.full({ 2 }, 7), { 7, 7 })
  same(icl.arange(3), { 0, 1, 2 })
  check.equal(icl.arange(3):dtype(), "i64")
  check.equal(icl.tensor({ 1 }, { dtype = "f64" }):dtype(), "f64")
end)

check("reductions", function()
  same(x:sum(), { 24 }, "")
  same(x:sum(1), { 5, 7, 12 }, "3")
  same(x:sum(-1, true), { 6, 18 }, "2 1")
  same(x:mean { 1, 2 }, { 4 })
  same(x:mean(2), { 2, 6 })
  same(x:var(2), { 2 / 3, 14 / 3 })
  same(x:var(2, false, 1), { 1, 7 })
  same(x:norm(1), { math.sqrt(17), math.sqrt(29), math.sqrt(90) })
  same(x:max(2), { 3, 9 })
  same(x:min(), { 1 })
  same(x:argmax(), { 2, 2 })
  same(x:argmax(1), { 1, 1, 1 })
end)

check("shapes", function()
  same(x:reshape(3, 2), { 1, 2, 3, 4, 5, 9 }, "3 2")
  same(x:reshape { -1 }, { 1, 2, 3, 4, 5, 9 }, "6")
  same(x:transpose(), { 1, 4, 2, 5, 3, 9 }, "3 2")
  same(x:permute(2, 1), { 1, 4, 2, 5, 3, 9 }, "3 2")
  same(x:unsqueeze(1), values(x), "1 2 3")
  same(x:unsqueeze(-1), values(x), "2 3 1")
  same(x:unsqueeze(1):squeeze(1), values(x), "2 3")
  same(x:narrow(2, 2, 2), { 2, 3, 5, 9 }, "2 2")
  check.raises(function() return x:squeeze(1) end, "not 1")
  check.raises(function() return x:transpose(1, 5) end, "no such axes")
end)

check("flatten puts channels first", function()
  local image = icl.arange(8):reshape(1, 2, 2, 2)
  same(image:flatten(), { 0, 2, 4, 6, 1, 3, 5, 7 }, "1 8")
  same(icl.arange(6):reshape(2, 3):flatten(), { 0, 1, 2, 3, 4, 5 }, "2 3")
end)

check("every op is a method", function()
  same((-x):relu(), { 0, 0, 0, 0, 0, 0 })
  same(icl.tensor { 0 }:sigmoid(), { 0.5 })
  same(x:maximum(3), { 3, 3, 3, 4, 5, 9 })
  check.equal(x:softmax():shape()[2], 3)
end)

check("dtypes", function()
  check.equal(x:cast "f64":dtype(), "f64")
  check.equal(x:to "i32":float():dtype(), "f32")
  check.equal(rawequal(x:cast "f32", x), true)
end)

check("linear", function()
  local w, b = icl.tensor { { 1, 0 }, { 0, 1 }, { 1, 1 } }, icl.tensor { 10, 20 }
  same(x:linear(w, b), { 14, 25, 23, 34 }, "2 2")
end)

check("states take part like tensors", function()
  local s = icl.state({ 1, 2 }, { name = "s" })
  same(s + 1, { 2, 3 })
  same(s:mean(), { 1.5 })
end)

check("no_grad", function()
  local w = icl.state({ 3 }, { trainable = true })
  check.raises(function()
    icl.step(function() icl.no_grad(function() return (w * w):sum() end):backward() end)
  end, ".")
  icl.step(function()
    (w * w):sum():backward()
    check.equal(w.grad ~= nil, true)
  end)
end)

check("steps do not nest, and an error drops a step", function()
  local s = icl.state { 1 }
  check.raises(function() icl.step(function() icl.step(function() end) end) end, "do not nest")
  check.raises(function()
    icl.step(function()
      s:write(s + 1)
      error "stop here"
    end)
  end, "stop here")
  check.equal(s:get()[1], 1)
  icl.step(function() s:write(s + 1) end)
  check.equal(s:get()[1], 2)
end)

check("a step returns what was computed", function()
  local a, b = icl.step(function() return x:sum(), 5 end)
  check.equal(a:item(), 24)
  check.equal(b, 5)
end)

check.close()
