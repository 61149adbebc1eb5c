-- test_autograd.lua: functions with a gradient of one's own, and the gradient check.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"

local function f64(data)
  return icl.tensor(data, { dtype = "f64" })
end

local shake = icl.autograd.define {
  forward = function(ctx, a, b, alpha, beta)
    ctx.beta = beta
    return a * alpha + b * (1 - alpha)
  end,
  backward = function(ctx, g) return g * ctx.beta, g * (1 - ctx.beta) end,
}

check("forward and backward are the ones given", function()
  local a, b = f64 { 1, 2 }:requires_grad(), f64 { 3, 5 }:requires_grad()
  local y = shake(a, b, 0.25, 0.75)
  check.near(y:totable()[2], 2 * 0.25 + 5 * 0.75, 1e-12)
  local gradients = icl.grad(y:sum(), { a, b })
  check.near(gradients[1]:totable()[1], 0.75, 1e-12)
  check.near(gradients[2]:totable()[1], 0.25, 1e-12)
end)

check("parameters and steps", function()
  local w = icl.state({ 2 }, { trainable = true })
  local square = icl.autograd.define {
    forward = function(ctx, x)
      ctx.x = x
      return x * x
    end,
    backward = function(ctx, g) return g * ctx.x * 2 end,
  }
  local gradient = icl.step(function()
    square(w):sum():backward()
    return w.grad
  end)
  check.near(gradient:item(), 4, 1e-6)
  check.near(icl.gradcheck(square, { f64 { 1, -2, 0.5 } }), 0, 1e-6)
end)

check("other gradients in place of those of a step", function()
  local w = icl.state({ 1, -2, 3 }, { name = "w", trainable = true })
  local sgd = icl.optim.sgd({ { parameters = { { name = "w", state = w } } } }, { momentum = 0, nesterov = false })
  local function leave(f)
    w:set { 1, -2, 3 }
    return icl.step(function()
      (w * w):sum():backward()
      f()
      local left = w.grad
      if left then sgd:step(1) end
      return left or nil
    end)
  end
  leave(function() w.grad = w.grad:clamp(-3, 3) end)
  check.equal(table.concat(w:get(), " "), "-1.0 1.0 0.0")
  check.equal(w.grad, nil)  -- it ends with the step
  leave(function() w.grad = 0.5 * w + w.grad end)  -- what needs a gradient itself
  check.equal(table.concat(w:get(), " "), "-1.5 3.0 -4.5")
  local sum = leave(function()
    w.grad = icl.ones { 3 }
    w:sum():backward()  -- later ones are added
    w:sum():backward()
  end)
  check.equal(table.concat(sum:totable(), " "), "3.0 3.0 3.0")
  check.equal(leave(function() w.grad = nil end), nil)
  check.equal(leave(function() w.grad = w:read():cast "f64" end):dtype(), "f32")
  w.grad = icl.ones { 3 }  -- outside of a step, too
  sgd:step(1)
  check.equal(table.concat(w:get(), " "), "-1.0 -1.0 -1.0")
end)

check("what is no gradient is an error", function()
  local w, frozen = icl.state({ 1, 2 }, { name = "w", trainable = true }), icl.state({ 1, 2 }, { name = "mean" })
  local gone = icl.step(function()
    local inner = w * 2
    return function() return inner end
  end)
  check.raises(function() w.grad = icl.ones { 3 } end, "grad: state w is f32 %(2%), the value is f32 %(3%)")
  check.raises(function() w.grad = 1 end, "grad: state w is f32 %(2%), the value is .*; it must have the same shape")
  check.raises(function() w.grad = "1" end, "grad: input 1 is '1'; it must be a tensor, a state or a number")
  check.raises(function() w.grad = gone() end, "grad needs the value of a mul whose step has ended")
  check.raises(function() frozen.grad = frozen end, "grad: state mean is not trained, so nothing reads its gradient")
  check.raises(function() w.gard = w end, "tensors do not change by assignment")
end)

check("an argument without a gradient", function()
  local first = icl.autograd.define {
    forward = function(_, a, b) return a * b end,
    backward = function(_, g) return nil, g end,
  }
  local a, b = f64 { 2 }:requires_grad(), f64 { 3 }:requires_grad()
  local gradients = icl.grad(first(a, b):sum(), { a, b })
  check.equal(gradients[1], false)
  check.near(gradients[2]:item(), 1, 1e-12)
end)

check("second derivatives go through what ctx keeps, and through states", function()
  local kept = icl.autograd.define { forward = function(ctx, x, k) ctx.x, ctx.k = x, k return x * x * k end,
    backward = function(ctx, g) return 2 * ctx.x * ctx.k * g, ctx.x * ctx.x * g end }
  local w = icl.state { 3 }
  icl.step(function()
    local x, k = icl.tensor { 3 } * 1, icl.tensor { 2 } * 1
    local first = icl.grad((kept(x, k) ^ 2):sum(), { x })[1]  -- 4 k^2 x^3
    local second = icl.grad(first:sum(), { x, k })
    check.equal(first:item(), 432)
    check.equal(second[1]:item(), 432)
    check.equal(second[2]:item(), 432)
    local plain = icl.grad((w * w * w):sum(), { w })[1]  -- of a state that is not trained
    check.equal(icl.grad(plain:sum(), { w })[1]:item(), 18)
    check.equal(icl.grad(icl.grad((kept(w, k) ^ 2):sum(), { w })[1]:sum(), { w })[1]:item(), 432)
  end)
end)

check("mistakes", function()
  local two = icl.autograd.define { forward = function(_, x) return x, x end, backward = function(_, g) return g end }
  check.raises(function() two(f64 { 1 }) end, "must return one tensor; it returned 2 values")
  check.raises(function() icl.autograd.define { forward = print } end, "the functions forward and backward")
  local function same(_, x) return x * 1 end
  local many = icl.autograd.define { forward = same, backward = function(_, g) return g, g end }
  local x = f64 { 1 }:requires_grad()
  check.raises(function() icl.grad(many(x):sum(), { x }) end, "2 gradients for 1 arguments")
  local failing = icl.autograd.define { forward = same, backward = function() error "my mistake" end }
  check.raises(function() icl.grad(failing(x):sum(), { x }) end, "my mistake")
end)

check("gradcheck accepts right gradients", function()
  check.near(icl.gradcheck(function(a, b) return (a * b):sigmoid() end, { f64 { 1, 2 }, f64 { 0.3, -1 } }), 0, 1e-6)
  check.near(icl.gradcheck(function(x) return x:norm() end, { f64 { { 3, 4 }, { 1, 1 } } }), 0, 1e-6)
end)

check("gradcheck names the worst entry of a wrong one", function()
  local wrong = icl.autograd.define {
    forward = function(_, x) return x * x end, backward = function(_, g) return g end,
  }
  check.raises(function() icl.gradcheck(wrong, { f64 { 0.5, 3 } }) end, "input 1, entry 2")
end)

check("the packed gradients of batch norm are not shown", function()
  local ops, x = icl.ops, icl.random.normal { 4, 5 }
  local w = icl.state(icl.ones { 5 }, { trainable = true })
  local through = icl.autograd.define { forward = function(_, a) return a end, backward = function(_, g) return g end }
  icl.step(function()
    local coefficients = ops.bn_coefficients(ops.bn_sums(x), w:read(), icl.zeros { 5 })
    local function loss(c) return (ops.scale_shift(x, c) ^ 3):sum() end
    check.raises(function() icl.grad(loss(coefficients), { coefficients }) end, "exists only inside batch norm")
    check.raises(function() loss(through(coefficients)):backward() end, "exists only inside batch norm")
    check.raises(function() loss(coefficients * 1):backward() end, "exists only inside batch norm")
    check.equal(#icl.grad(loss(coefficients), { w:read() })[1]:shape(), 1)
  end)
end)

check("a constant that asks for its gradient during a backward pass gets none, and does no harm", function()
  local constant = icl.tensor { 2, 3 }
  local late = icl.autograd.define {
    forward = function(_, a) return a * 2 end,
    backward = function(_, g) constant:requires_grad() return g * 2 end,
  }
  local w = icl.state(icl.ones { 2 }, { trainable = true })
  icl.step(function()
    local early = w:read() * constant
    late(early):sum():backward()
    check.equal(w.grad ~= nil, true)
  end)
end)

check("inside a step gradients may be asked for at what was recorded", function()
  local w = icl.state({ 1, 2, 3 }, { trainable = true })
  local image, other, twice = icl.step(function()
    local raw = f64 { 1, 2, 3 } * 2
    local y = raw * raw
    local loss = (y * w):sum()
    local given = icl.grad(loss, { raw, f64 { 5 } })
    local second = icl.grad(given[1]:sum(), { raw })[1]
    return given[1], given[2] == false and f64 { 1 } or f64 { 0 }, second
  end)
  check.equal(table.concat(image:totable(), " "), "4.0 16.0 36.0")
  check.equal(other:item(), 1)
  check.equal(table.concat(twice:totable(), " "), "2.0 4.0 6.0")
end)

check("a step without gradients, and detached values, end the way", function()
  icl.step(function()
    local raw = f64 { 3 } * 1
    local cut = icl.no_grad(function() return raw * 5 end)
    local loss = (cut + raw:detach() + raw * 2):sum()
    check.equal(icl.grad(loss, { raw })[1]:item(), 2)
  end)
end)

check("functions of one's own get their gradient when it is asked for later", function()
  local double = icl.autograd.define {
    forward = function(_, a) return a * 1 end, backward = function(_, g) return g * 7 end,
  }
  icl.step(function()
    local raw = f64 { 3 } * 1
    check.equal(icl.grad(double(raw):sum(), { raw })[1]:item(), 7)
  end)
end)

check("a frozen state may be asked for, and no optimizer hears of it", function()
  local w, v = icl.state({ 2 }, { trainable = true }), icl.state({ 3 }, { trainable = true }):freeze()
  icl.step(function()
    local loss = (w * v):sum()
    check.equal(icl.grad(loss, { v })[1]:item(), 2)
    loss:backward()
    check.equal(v.grad, nil)
    check.equal(w.grad:item(), 3)
  end)
end)

check("outside of a step a gradient must be asked for before", function()
  local x = f64 { 1, 2 }
  local w = f64({ 1, 1 }):requires_grad()
  check.raises(function() icl.grad((x * x * w):sum(), { w, x }) end,
    "gradient: tensor 2 %(constant%) needed no gradient when it was used.*call requires_grad%(%) on it before")
  check.raises(function() icl.tensor({ 1 }, { dtype = "i64" }):requires_grad() end, "only floats have a gradient")
end)

check("a checked function may take gradients itself", function()
  icl.gradcheck(function(x) return icl.grad((x * x * x):sum(), { x })[1] end, { f64 { 1, 2, -3 } })
  check.raises(function() icl.gradcheck() end, "icl.gradcheck: it takes a function of tensors, not nil")
  check.raises(function() icl.gradcheck(print, { 5 }) end, "icl.gradcheck: input 1 is 5; it must be a tensor")
end)

check("backward must not forget a gradient that is needed", function()
  local function product(backward)
    return icl.autograd.define { forward = function(_, a, b) return a * b end, backward = backward }
  end
  local a, b = f64({ 1, 2 }):requires_grad(), f64({ 3, 4 }):requires_grad()
  check.raises(function() icl.grad(product(function() end)(a, b):sum(), { a }) end,
    "backward returned 0 gradients, and argument 1 needs one, too")
  check.raises(function() icl.grad(product(function(_, g) return g end)(a, b):sum(), { a }) end,
    "backward returned 1 gradients, and argument 2 needs one, too")
  check.equal(icl.grad(product(function(_, g) return g end)(a, f64 { 3, 4 }):sum(), { a })[1]:totable()[2], 1)
end)

check("the slope of elu far below 0 has digits in every dtype", function()
  for dtype, tolerance in pairs { bf16 = 8e-3, f32 = 1e-6, f64 = 1e-12 } do
    local x = icl.tensor({ -7, -10 }, { dtype = dtype }):requires_grad()
    local slope = icl.grad(x:elu(2):sum(), { x })[1]:cast("f64"):totable()
    for i, at in ipairs { -7, -10 } do check.near(slope[i] / (2 * math.exp(at)), 1, tolerance) end
  end
end)

check("backward may take a gradient of its own, of what does not lead back to it", function()
  local twice = icl.autograd.define {
    forward = function(ctx, x)
      ctx.x = x
      return x * 2
    end,
    backward = function(ctx, g)
      local x = ctx.x:detach():requires_grad()
      return icl.grad((x * 2 * g):sum(), { x })[1]
    end,
  }
  local x = icl.tensor({ 0.1, 0.2 }):requires_grad()
  local own, plain = icl.grad(twice(x):tanh():sum(), { x })[1], icl.grad((x * 2):tanh():sum(), { x })[1]
  for i = 1, 2 do check.near(own:totable()[i], plain:totable()[i], 1e-6) end
end)

check("no gradient goes through whole numbers and truth values", function()
  local x = icl.tensor({ 1.6, 2.6, -3.2 }):requires_grad()
  for _, dtype in ipairs { "i64", "i32", "u8", "bool" } do
    local whole = x:cast(dtype):float()
    check.raises(function() icl.grad(whole:sum(), { x }) end, "depends on nothing that is trained")
    local values, gradient = whole:totable(), icl.grad((whole * x):sum(), { x })[1]:totable()
    for i = 1, 3 do check.equal(gradient[i], values[i]) end
  end
  icl.step(function()
    local y = icl.tensor { 1.5, 2.5 } * 2
    local loss = (y:cast "i64":float() * y):sum()
    check.equal(table.concat(icl.grad(loss, { y })[1]:keep():totable(), " "), "3.0 5.0")
  end)
end)

check("a loss that was computed without gradients says so", function()
  local x = icl.tensor({ 1.5 }):requires_grad()
  local loss = icl.no_grad(function() return x:sum() end)
  check.raises(function() icl.grad(loss, { x }) end, "nothing that is trained; it was computed in icl.no_grad")
end)

check.close()
