-- test_grad_scaler.lua: dynamic loss scaling: gradients are those of the loss, a step that overflows leaves everything
-- as it was, and the scale follows. A test of the command line runs this file on the reference device, too.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local nn = icl.nn

local function bytes_of(list)
  local texts = {}
  for i, entry in ipairs(list) do texts[i] = (entry.tensor or entry.state:read()):bytes() end
  return table.concat(texts)
end

local function small_model()
  icl.random.seed(3)
  return nn.sequential { nn.conv2d(2, 4, 3), nn.batch_norm(4), nn.relu(), nn.conv2d(4, 4, 3, { bias = true }),
                         nn.global_avg_pool(), nn.linear(4, 3) }
end

local function random_batch(dtype)
  return icl.random.normal({ 6, 4, 4, 2 }):cast(dtype), icl.tensor({ 0, 1, 2, 0, 1, 2 }, { dtype = "i64" })
end

-- ---- gradients ----

-- The gradients of all parameters after backward(loss), as bytes.
local function gradients(dtype, scaler, backward)
  local model = small_model()
  local x, y = random_batch(dtype)
  local list = icl.step(function()
    backward(scaler, icl.loss.cross_entropy(model(x), y))
    local list = {}
    for i, state in ipairs(model:parameters()) do list[i] = { tensor = state.grad:keep() } end
    return list
  end)
  return bytes_of(list)
end

check("gradients are those of the loss, whatever the scale", function()
  local plain = gradients("f32", nil, function(_, loss) loss:backward() end)
  for _, init_scale in ipairs { 1, 1024, 2.0 ^ -10 } do
    local scaler = icl.grad_scaler { init_scale = init_scale }
    check.equal(gradients("f32", scaler, function(_, loss) scaler:backward(loss) end) == plain, true)
  end
end)

check("what f16 loses without a scale is there with one", function()
  local w = icl.state({ 1, 1 }, { trainable = true, name = "w" })
  local function gradient(scaler)
    return icl.step(function()
      scaler:backward((w:cast "f16" * 1e-3):cast "f32":sum() * 1e-6)
      return w.grad:keep()
    end):totable()[1]
  end
  check.equal(gradient(icl.grad_scaler { enabled = false }), 0)
  check.near(gradient(icl.grad_scaler {}) / 1e-9, 1, 2e-3)
end)

check("the parts of a batch add up", function()
  local w = icl.state({ 2 }, { trainable = true, name = "w" })
  local optimizer, scaler = icl.optim.sgd({ { parameters = { { name = "w", state = w } } } },
    { momentum = 0, nesterov = false }), icl.grad_scaler {}
  local back = icl.step(function()
    for part = 1, 3 do scaler:backward((w * part):sum()) end
    return scaler:step(optimizer, 0.5)
  end)
  check.equal(back, nil)
  check.near(w:get()[1], 2 - 0.5 * 6, 1e-6)
  check.equal(scaler.clean_steps:item(), 1)
end)

check("a scale is one number of a float dtype", function()
  local w = icl.state({ 2 }, { trainable = true, name = "w" })
  local function backward(scale) return function() (w * w):sum():backward(scale) end end
  check.raises(backward(icl.tensor { 1, 2 }), "the scale is f32 %(2%); it must be one number of a float dtype")
  check.raises(backward(icl.tensor(2, { dtype = "i64" })), "the scale is i64")
  check.raises(backward(2), "tensor expected")
  icl.step(function()
    backward(icl.tensor({ 4 }, { dtype = "f64" }))()
    local gradient = w.grad:keep()
    check.equal(gradient:rank(), 1)
    check.equal(gradient:item(), 4)
  end)
end)

-- ---- overflows ----

-- Where the scale is this, gradients in f16 are infinite; in f32, too, since the loss is a large multiple.
local too_large = 2.0 ^ 127

-- Trains with f16 for as many steps as `scales` has entries: the scale of each, before it. -> the model, the optimizer,
-- the scaler, and bytes of what an update writes, at the start and behind each step.
local function train(make, scales, options)
  local model = small_model()
  local x, y = random_batch "f16"
  local optimizer, scaler = make(model), icl.grad_scaler(options)
  local function all() return bytes_of(model:named_parameters()) .. bytes_of(optimizer:named_states()) end
  local trace = { [0] = all() }
  for i, scale in ipairs(scales) do
    scaler.loss_scale:set(scale)
    icl.step(function()
      scaler:step(optimizer, 0.05, function()
        scaler:backward(icl.loss.cross_entropy(model(x), y) * 8)
      end)
    end)
    trace[i] = all()
  end
  return { model = model, optimizer = optimizer, scaler = scaler, trace = trace }
end

-- An optimizer of one's own with all kinds of states.
local own = icl.optim.define("own", {
  defaults = { momentum = 0.5 }, states = { "mean" }, group_states = { sum = 1 }, counts = true,
  prepare = function(s) s.group.sum:write(s.group.sum + s.t) end,
  update = function(p, g, states, s)
    states.mean:write(s.momentum * states.mean + g)
    return p - s.lr * states.mean:sign() / (s.group.sum + s.t):cast "f32"
  end,
})

local makers = {
  sgd = function(model) return icl.optim.sgd(model, { weight_decay = 1e-3 }) end,
  ["sgd without momentum"] = function(model) return icl.optim.sgd(model, { momentum = 0, nesterov = false }) end,
  ["sgd, clipped"] = function(model) return icl.optim.sgd(model, { gradient_clip = 0.1, divide = 2 }) end,
  lars = icl.optim.lars, adam = icl.optim.adam, adamw = icl.optim.adamw, nadam = icl.optim.nadam,
  amsgrad = function(model) return icl.optim.adam(model, { amsgrad = true }) end,
  adabound = icl.optim.adabound, lamb = icl.optim.lamb, lion = icl.optim.lion, muon = icl.optim.muon,
  rmsprop = function(model) return icl.optim.rmsprop(model, { centered = true, momentum = 0.9 }) end,
  own = own,
  sam = function(model) return icl.optim.sam(icl.optim.sgd(model), { model = model }) end,
  ["adaptive sam"] = function(model) return icl.optim.sam(icl.optim.adam(model), { adaptive = true }) end,
  lookahead = function(model) return icl.optim.lookahead(icl.optim.adamw(model), { k = 2 }) end,
  ["lookahead of sam"] = function(model)
    return icl.optim.lookahead(icl.optim.sam(icl.optim.lion(model), { model = model }), { k = 2 })
  end,
}

for name, make in pairs(makers) do
  check(name .. ": a step that overflows leaves everything as it was", function()
    local clean = train(make, { 1024, 1024, 1024 })
    local spoilt = train(make, { 1024, too_large, 1024, 1024 })
    check.equal(spoilt.trace[0] == clean.trace[0], true)
    check.equal(spoilt.trace[1] == clean.trace[1], true)
    check.equal(spoilt.trace[2] == clean.trace[1], true)
    check.equal(clean.trace[2] == clean.trace[1], false)
    check.equal(spoilt.trace[3] == clean.trace[2], true)
    check.equal(spoilt.trace[4] == clean.trace[3], true)
    check.equal(clean.scaler.clean_steps:item(), 3)
    check.equal(spoilt.scaler.clean_steps:item(), 2)
  end)
end

for _, name in ipairs(icl.optim.from_options.names) do
  check(name .. " of the options is among those tested", function()
    check.equal((makers[name] or makers[name:gsub("w$", "")]) ~= nil, true)
  end)
end

check("an overflow in the first step counts as one in any other", function()
  local spoilt = train(makers.lookahead, { too_large })
  check.equal(spoilt.trace[1] == spoilt.trace[0], true)
end)

-- One update of a parameter whose gradient is `values`.
local function update(scaler, values, w, optimizer)
  w = w or icl.state({ 1, 1, 1 }, { trainable = true, name = "w" })
  optimizer = optimizer or icl.optim.sgd({ { parameters = { { name = "w", state = w } } } })
  local before = w:read():bytes()
  icl.step(function()
    scaler:backward((w * icl.tensor(values)):sum())
    scaler:step(optimizer, 0.1)
  end)
  return w:read():bytes() ~= before
end

check("one value that is not finite is enough", function()
  local scaler = icl.grad_scaler { init_scale = 8 }
  check.equal(update(scaler, { 1, 2, 3 }), true)
  check.equal(scaler.loss_scale:item(), 8)
  for i, bad in ipairs { 1 / 0, -1 / 0, 0 / 0 } do
    check.equal(update(scaler, { 1, bad, 3 }), false)
    check.equal(scaler.loss_scale:item(), 8 / 2 ^ i)
    check.equal(scaler.clean_steps:item(), 0)
  end
end)

check("a network learns in f16 as in f32", function()
  local function last_loss(dtype, init_scale)
    local model = small_model()
    local x, y = random_batch(dtype)
    local optimizer, scaler = icl.optim.sgd(model), icl.grad_scaler { init_scale = init_scale }
    local loss
    for _ = 1, 60 do
      loss = icl.step(function()
        local loss = icl.loss.cross_entropy(model(x), y)
        scaler:backward(loss)
        scaler:step(optimizer, 0.1)
        return loss
      end)
    end
    return loss:item(), scaler.loss_scale:item()
  end
  local expected = last_loss("f32", 1)
  check.equal(expected < 0.2, true)
  check.near(last_loss("f16", 65536) / expected, 1, 0.05)
  local _, scale = last_loss("f16", 2.0 ^ 40)
  check.equal(scale < 2.0 ^ 30 and scale > 2.0 ^ 10, true)
end)

-- ---- the scale ----

check("the scale grows behind clean steps, falls behind others, and counts anew", function()
  local scaler = icl.grad_scaler { init_scale = 100, growth_factor = 3, backoff_factor = 0.25, growth_interval = 3 }
  local w = icl.state({ 1, 1, 1 }, { trainable = true, name = "w" })
  local optimizer = icl.optim.sgd { { parameters = { { name = "w", state = w } } } }
  local good, bad = { 1, 2, 3 }, { 1, 1 / 0, 3 }
  local plans
  for i, pass in ipairs {
    { good, 100, 1 }, { good, 100, 2 }, { good, 300, 0 }, { good, 300, 1 }, { bad, 75, 0 }, { bad, 18.75, 0 },
    { good, 18.75, 1 }, { good, 18.75, 2 }, { good, 56.25, 0 },
  } do
    update(scaler, pass[1], w, optimizer)
    check.equal(scaler.loss_scale:item(), pass[2])
    check.equal(scaler.clean_steps:item(), pass[3])
    if i == 2 then plans = icl.statistics().plans_made end
  end
  check.equal(icl.statistics().plans_made, plans)
end)

check("the scale stays a number that f32 holds with all its digits", function()
  local scaler = icl.grad_scaler { init_scale = 2.0 ^ 126, growth_interval = 1 }
  for _ = 1, 3 do update(scaler, { 1e-3, 0, 0 }) end
  check.equal(scaler.loss_scale:item(), 2.0 ^ 127)
  scaler = icl.grad_scaler { init_scale = 2.0 ^ -125 }
  for _ = 1, 3 do update(scaler, { 0 / 0, 0, 0 }) end
  check.equal(scaler.loss_scale:item(), 2.0 ^ -126)
end)

check("several optimizers share a scaler", function()
  local a, b = icl.state({ 1 }, { trainable = true, name = "a" }), icl.state({ 1 }, { trainable = true, name = "b" })
  local function sgd(state) return icl.optim.sgd { { parameters = { { name = state.name, state = state } } } } end
  local first, second, scaler = sgd(a), sgd(b), icl.grad_scaler { init_scale = 4 }
  icl.step(function()
    scaler:backward(a:sum() * (1 / 0))
    scaler:step(first, 1)
    scaler:backward(b:sum() * 0.5)
    scaler:step(second, 1)
  end)
  check.equal(a:item(), 1)
  check.near(b:item(), 1 - 1.9 * 0.5, 1e-6)
  check.equal(scaler.loss_scale:item(), 2)
  check.equal(scaler.clean_steps:item(), 1)
end)

-- A step of a network with this scale of the loss.
local function step_with(scale, scaler, optimizer, model, x, y)
  scaler.loss_scale:set(scale)
  icl.step(function()
    scaler:backward(icl.loss.cross_entropy(model(x), y) * 8)
    scaler:step(optimizer, 0.01)
  end)
end

check("frozen parameters stay out of it", function()
  local model, scaler = small_model(), icl.grad_scaler {}
  model[1]:freeze()
  local x, y = random_batch "f16"
  local optimizer = icl.optim.adam(model)
  for _, scale in ipairs { 1024, too_large } do step_with(scale, scaler, optimizer, model, x, y) end
  check.equal(optimizer.count:item(), 1)
  model:freeze()
  icl.step(function() scaler:step(optimizer, 0.01) end)
  check.equal(scaler.clean_steps:item(), 0)
end)

check("a step that overflows counts for no parameter, even if it is the first that leaves some out", function()
  local model, scaler = small_model(), icl.grad_scaler {}
  local x, y = random_batch "f16"
  local optimizer = icl.optim.adam(model)
  for i, scale in ipairs { 1024, too_large, 1024 } do
    model[1]:freeze(i > 1)
    step_with(scale, scaler, optimizer, model, x, y)
  end
  local counts = {}
  for _, item in ipairs(optimizer:state_dict()) do counts[item.name] = item.name:find "^step" and item.tensor:item() end
  check.equal(counts.step, 2)
  check.equal(counts["step.0.weight"], 1)
  scaler.loss_scale:set(too_large)
  model[1]:freeze(false)
  icl.step(function()
    scaler:backward(icl.loss.cross_entropy(model(x), y) * 8)
    scaler:step(optimizer, 0.01)
  end)
  check.equal(optimizer.count:item(), 2)
  for _, item in ipairs(optimizer:state_dict()) do
    if item.name == "step.0.weight" then check.equal(item.tensor:item(), 1) end
  end
end)

check("without enabled it is backward and step", function()
  local scaler = icl.grad_scaler { enabled = false }
  local plain = { step = function(self, rate) self.rate = rate end }
  check.equal(select("#", scaler:step(plain, 0.5)), 0)
  check.equal(plain.rate, 0.5)
  local a, b = scaler:step(plain, 0.5, function() return 1, 2 end)
  check.equal(a + b, 3)
  check.equal(update(scaler, { 1, 1 / 0, 1 }), true)
  check.equal(#scaler:named_states(), 0)
  check.equal(#scaler:state_dict(), 0)
  check.equal(scaler.loss_scale, nil)
end)

check("what f returns comes back", function()
  local w = icl.state({ 1 }, { trainable = true, name = "w" })
  local sgd, scaler = icl.optim.sgd { { parameters = { { name = "w", state = w } } } }, icl.grad_scaler {}
  local function f()
    scaler:backward(w:sum())
    return 1, nil, 3
  end
  icl.step(function()
    for _, optimizer in ipairs { sgd, icl.optim.lookahead(sgd) } do
      local list = table.pack(scaler:step(optimizer, 0.1, f))
      check.equal(list.n, 3)
      check.equal(list[3], 3)
    end
  end)
end)

check("gradients are changed behind the look at them", function()
  for _, enabled in ipairs { true, false } do
    for _, factor in ipairs { 3, 1 / 0 } do
      local w = icl.state({ 1 }, { trainable = true, name = "w" })
      local sgd = icl.optim.sgd({ { parameters = { { name = "w", state = w } } } }, { momentum = 0, nesterov = false })
      local scaler = icl.grad_scaler { enabled = enabled }
      icl.step(function()
        local function f() scaler:backward((w * factor):sum()) end
        scaler:step(sgd, 1, f, function() w.grad = w.grad:clamp(-1, 1) end)
      end)
      check.equal(w:get()[1], enabled and factor == 1 / 0 and 1.0 or 0.0)
    end
  end
  check.raises(function() icl.grad_scaler {}:step(1, 0.1, nil, 3) end, "it takes a function that changes gradients, not 3")
end)

-- ---- saved ----

check("it is saved, and goes on with the same bytes", function()
  local scales = { 1024, too_large, 1024, 1024, 1024, 1024 }
  local options = { growth_interval = 2 }
  local whole = train(makers.adam, scales, options)
  local part = train(makers.adam, table.move(scales, 1, 4, 1, {}), options)
  local scaler = icl.grad_scaler(options)
  scaler:load_state_dict(part.scaler:state_dict())
  check.equal(scaler.clean_steps:item(), 0)
  check.equal(scaler.loss_scale:item(), 2048)
  small_model()  -- draws as that of train()
  local x, y = random_batch "f16"
  for _ = 1, 2 do
    scaler.loss_scale:set(1024)
    icl.step(function()
      scaler:backward(icl.loss.cross_entropy(part.model(x), y) * 8)
      scaler:step(part.optimizer, 0.05)
    end)
  end
  check.equal(bytes_of(part.model:named_states()) == bytes_of(whole.model:named_states()), true)
  check.equal(bytes_of(scaler:named_states()) == bytes_of(whole.scaler:named_states()), true)
end)

check("options that were changed are kept", function()
  local scaler, other = icl.grad_scaler {}, icl.grad_scaler {}
  scaler.options.growth_interval = 7
  other:settings(scaler:settings())
  check.equal(other.options.growth_interval, 7)
  check.raises(function() scaler.options.init_scale = 7 end, "init_scale is settled")
end)

-- ---- mistakes ----

check("wrong options are errors", function()
  local function made(options) return function() icl.grad_scaler(options) end end
  check.raises(made { init_scale = 0 }, "icl.grad_scaler: init_scale is 0; it must be from 2%^%-126 to 2%^127")
  check.raises(made { init_scale = 2.0 ^ 128 }, "it must be from 2%^%-126 to 2%^127")
  check.raises(made { init_scale = 1 / 0 }, "init_scale")
  check.raises(made { growth_factor = 0.5 }, "growth_factor is 0.5; it must be at least 1")
  check.raises(made { backoff_factor = 1.5 }, "backoff_factor is 1.5; it must be above 0 and at most 1")
  check.raises(made { backoff_factor = 0 }, "backoff_factor is 0")
  check.raises(made { growth_interval = 0 }, "growth_interval")
  check.raises(made { growth_interval = 1.5 }, "growth_interval")
  check.raises(made { grow_factor = 2 }, "there is no option 'grow_factor'")
  check.raises(made { enabled = 1 }, "enabled is 1; it must be a boolean")
  check.raises(made(65536), "icl.grad_scaler")
end)

check("what PyTorch has is said to be here in another way", function()
  local scaler = icl.grad_scaler {}
  check.raises(function() scaler:scale(1) end, "there is no scale; scaler:backward%(loss%) is scaler:scale%(loss%)")
  check.raises(function() scaler:update() end, "there is no update; scaler:step%(optimizer, lr%) does it")
  check.raises(function() scaler:unscale_(1) end, "gradients are those of the loss at any time")
  check.raises(function() scaler:get_scale() end, "scaler.loss_scale is the scale")
  check.equal(scaler.other, nil)
end)

check("wrong calls are errors", function()
  local scaler = icl.grad_scaler {}
  check.raises(function() scaler:step() end, "it takes an optimizer, icl.optim.sgd%(model%) for instance, not nil")
  check.raises(function() scaler:step(0.1) end, "it takes an optimizer")
  check.raises(function() scaler:step({ step = print }, 0.1) end, "it takes an optimizer")
  check.raises(function() scaler:step(icl.optim.sgd(small_model()), 0.1, 3) end, "a function that leaves gradients")
  check.raises(function() scaler:step(icl.optim.sgd(small_model()), 0.1) end, "parameter .* has no gradient")
  check.raises(function() scaler:backward(3) end, "icl.grad_scaler: backward")
end)

check.close()
