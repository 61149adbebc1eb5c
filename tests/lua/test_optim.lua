-- test_optim.lua: SGD against the formulas written out, parameter groups, clipping.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"

local function parameter(data, name)
  return icl.state(data, { trainable = true, name = name })
end

local function groups(...)
  local list = {}
  for i, state in ipairs { ... } do list[i] = { state.name, state } end
  return { { parameters = list } }
end

-- One step on the loss sum(c w), whose gradient is c.
local function step(optimizer, lr, ...)
  local pairs_of = { ... }
  icl.step(function()
    for _, pair in ipairs(pairs_of) do (pair[1] * pair[2]):sum():backward() end
    optimizer:step(lr)
  end)
end

-- Two steps on one parameter, as the formula says.
local function expected(p, g, lr, o)
  local v = 0
  for _ = 1, 2 do
    local d = g + o.weight_decay * p
    v = o.momentum * v + d
    p = p - lr * (o.nesterov and d + o.momentum * v or v)
  end
  return p
end

check("plain, momentum, Nesterov", function()
  for _, o in ipairs { { momentum = 0, nesterov = false, weight_decay = 0.1 },
                       { momentum = 0.9, nesterov = false, weight_decay = 0.1 },
                       { momentum = 0.9, nesterov = true, weight_decay = 0.1 } } do
    local w = parameter({ 2 }, "w")
    local optimizer = icl.optim.sgd(groups(w), o)
    for _ = 1, 2 do step(optimizer, 0.05, { w, 3 }) end
    check.near(w:get()[1], expected(2, 3, 0.05, o), 1e-6)
  end
end)

check("gradients of several backward calls add up, and are used up", function()
  local w = parameter({ 1 }, "w")
  local optimizer = icl.optim.sgd(groups(w), { momentum = 0, nesterov = false })
  step(optimizer, 1, { w, 3 }, { w, 4 })
  check.near(w:get()[1], -6, 1e-6)
  check.raises(function() icl.step(function() optimizer:step(1) end) end, "parameter w has no gradient")
end)

check("frozen parameters need no gradient and stay", function()
  local a, b = parameter({ 1 }, "a"), parameter({ 1 }, "b")
  local optimizer = icl.optim.sgd(groups(a, b), { weight_decay = 1 })
  b:freeze()
  step(optimizer, 0.5, { a, 1 })
  check.equal(b:get()[1], 1)
  b:freeze(false)
  check.raises(function() step(optimizer, 0.5, { a, 1 }) end, "parameter b has no gradient")
  check.near(a:get()[1], 1 - 0.5 * 2 * 1.9, 1e-6)
end)

check("clipping by the norm of all gradients, then division", function()
  local a, b = parameter({ 0 }, "a"), parameter({ 0 }, "b")
  local optimizer = icl.optim.sgd(groups(a, b), { momentum = 0, nesterov = false, gradient_clip = 1, divide = 2 })
  step(optimizer, 1, { a, 3 }, { b, 4 })
  check.near(a:get()[1], -0.3, 1e-6)
  check.near(b:get()[1], -0.4, 1e-6)
  a:set { 0 }
  step(optimizer, 1, { a, 0.1 }, { b, 0 })
  check.near(a:get()[1], -0.05, 1e-6)
end)

check("which parameters decay", function()
  local model = icl.models.resnet_preact { depth = 8 }
  local function decaying(rule)
    local count, names = 0, {}
    for _, pair in ipairs(icl.optim.sgd(model, { weight_decay = 1, decay = rule }).groups[1].parameters) do
      count, names[pair[1]] = count + 1, true
    end
    return count, names
  end
  local count, names = decaying "repo"
  check.equal(count, 3)
  check.equal(names["conv.weight"] and names["stage3.block1.shortcut.conv.weight"], true)
  count, names = decaying "weights"
  check.equal(count, 1 + 6 + 2 + 1)
  check.equal(names["fc.weight"] and not names["fc.bias"] and not names["bn.weight"], true)
  check.equal(decaying "all", #model:parameters())
  check.raises(function() decaying "none" end, "must be one of all, repo, weights")
end)

check("state dict", function()
  local function train(steps, from)
    local w = parameter({ from and from.w or 1 }, "w")
    local optimizer = icl.optim.sgd(groups(w), {})
    if from then optimizer:load_state_dict(from.state) end
    for _ = 1, steps do step(optimizer, 0.1, { w, 2 }) end
    return { w = w:get()[1], state = optimizer:state_dict() }
  end
  check.near(train(1, train(1)).w, train(2).w, 1e-6)
  local other = icl.optim.sgd(groups(parameter({ 1 }, "w")), {})
  check.raises(function() other:load_state_dict {} end, "momentum.w is missing")
end)

check("mistakes", function()
  check.raises(function() icl.optim.sgd({}, { momentum = 0 }) end, "nesterov needs a momentum")
  check.raises(function() icl.optim.sgd({}, { momentun = 0 }) end, "did you mean momentum")
  check.raises(function() icl.optim.sgd(5) end, "a module or a list")
end)

check.close()
