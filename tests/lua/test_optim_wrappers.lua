-- test_optim_wrappers.lua: Muon, whose moves are matrices, and the optimizers around others, SAM and lookahead, against
-- their formulas written out; saved, resumed, in icl.fit.
local here = arg[0]:match "^(.*/)" or "./"
local check, optimizers = dofile(here .. "check.lua"), dofile(here .. "optimizers.lua")
local icl = require "icl"

local parameter, groups = optimizers.parameter, optimizers.groups

-- ---- matrices as lists of rows ----

local function build(rows, columns, f)
  local m = {}
  for i = 1, rows do
    m[i] = {}
    for k = 1, columns do m[i][k] = f(i, k) end
  end
  return m
end

local function product(a, b)
  return build(#a, #b[1], function(i, k)
    local total = 0
    for j = 1, #b do total = total + a[i][j] * b[j][k] end
    return total
  end)
end

local function transposed(a)
  return build(#a[1], #a, function(i, k) return a[k][i] end)
end

local function map(f, a, ...)
  local others = { ... }
  return build(#a, #a[1], function(i, k)
    local values = {}
    for j, m in ipairs(others) do values[j] = m[i][k] end
    return f(a[i][k], table.unpack(values))
  end)
end

local function norm(a)
  local total = 0
  for _, row in ipairs(a) do
    for _, value in ipairs(row) do total = total + value * value end
  end
  return math.sqrt(total)
end

local function near(got, expected, tolerance)
  for i, row in ipairs(expected) do
    for k, value in ipairs(row) do check.near(got[i][k], value, tolerance) end
  end
end

-- As in the published code: of matrices that are taller than wide, the transposed one.
local function newton_schulz(g)
  local tall = #g > #g[1]
  local x = tall and transposed(g) or g
  local length = norm(x)
  x = map(function(v) return v / (length + 1e-7) end, x)
  for _ = 1, 5 do
    local a = product(x, transposed(x))
    local b = map(function(p, q) return -4.7750 * p + 2.0315 * q end, a, product(a, a))
    x = map(function(p, q) return 3.4445 * p + q end, x, product(b, x))
  end
  return tall and transposed(x) or x
end

local function pattern(k)
  return function(i, j) return math.sin(3 * i + 5 * j * j + k) end
end

for _, shape in ipairs { { 2, 4 }, { 4, 2 }, { 3, 3 } } do
  for _, adjust in ipairs { "original", "match_rms_adamw" } do
    for _, nesterov in ipairs { true, false } do
      check(("muon, %d x %d, %s%s"):format(shape[1], shape[2], adjust, nesterov and "" or ", no nesterov"), function()
        local rows, columns = table.unpack(shape)
        local p, m = build(rows, columns, pattern(0.5)), build(rows, columns, function() return 0 end)
        local w = parameter(p, "w")
        local optimizer = icl.optim.muon(groups(w), { momentum = 0.9, weight_decay = 0.1, adjust_lr = adjust,
                                                      nesterov = nesterov })
        local scale = adjust == "original" and math.sqrt(math.max(1, columns / rows))
          or 0.2 * math.sqrt(math.max(rows, columns))
        for k = 1, 4 do
          local g = build(rows, columns, pattern(k))
          icl.step(function()
            (w * icl.tensor(g)):sum():backward()
            optimizer:step(0.02)
          end)
          m = map(function(a, b) return 0.9 * a + 0.1 * b end, m, g)
          local u = nesterov and map(function(a, b) return 0.9 * a + 0.1 * b end, m, g) or m
          p = map(function(a, b) return a * (1 - 0.02 * 0.1) - 0.02 * scale * b end, p, newton_schulz(u))
          near(w:get(), p, 2e-5)
        end
      end)
    end
  end
end

check("muon makes directions equally long, of convolutions too", function()
  local w = parameter(icl.zeros { 3, 3, 4, 8 }, "w")
  local optimizer = icl.optim.muon(groups(w), { adjust_lr = "original", momentum = 0 })
  icl.random.seed(1)
  icl.step(function()
    (w * icl.random.normal { 3, 3, 4, 8 }):sum():backward()
    optimizer:step(1)
  end)
  local x = w:read():reshape(-1, 8)
  local square = icl.ops.matmul(x, x, { transpose_a = true }):totable()  -- near to the identity
  for i, row in ipairs(square) do
    for k, value in ipairs(row) do check.near(value, i == k and 1 or 0, 0.55) end
    assert(row[i] > 0.3 and row[i] < 1.6, row[i])
  end
end)

check("muon leaves vectors, and groups that say so, to AdamW", function()
  local function names(optimizer)
    local list = {}
    for i, item in ipairs(optimizer:state_dict()) do list[i] = item.name end
    return table.concat(list, " ")
  end
  local a, b, c = parameter({ { 1, 2 } }, "a"), parameter({ 1, 2 }, "b"), parameter({ { 1, 2 } }, "c")
  local first, second = groups(a, b)[1], groups(c)[1]
  second.adamw = true
  local optimizer = icl.optim.muon { first, second }
  check.equal(names(optimizer), "step momentum_buffer.a exp_avg.b exp_avg_sq.b exp_avg.c exp_avg_sq.c")
  optimizer.groups[2].adamw = false
  check.raises(function()
    icl.step(function()
      (a:sum() + b:sum() + c:sum()):backward()
      optimizer:step(0.1)
    end)
  end, "group 2 needs the state momentum_buffer with these options")
end)

-- ---- SAM ----

-- The loss sum(w^4) / 4 of two parameters, whose gradient is w^3.
local function quartic(...)
  local total
  for _, w in ipairs { ... } do
    local part = (w * w * w * w):sum() * 0.25
    total = total and total + part or part
  end
  return total
end

for _, adaptive in ipairs { false, true } do
  check("sam" .. (adaptive and ", adaptive" or ""), function()
    local p, v = { 1, -0.5, 2 }, { 0, 0, 0 }
    local a, b = parameter({ p[1], p[2] }, "a"), parameter({ p[3] }, "b")
    local base = icl.optim.sgd(groups(a, b), { momentum = 0.9, nesterov = false, weight_decay = 0.1 })
    local optimizer, calls = icl.optim.sam(base, { rho = 0.3, adaptive = adaptive }), 0
    for k = 1, 5 do
      if k == 4 then optimizer.options.rho = 0.1 end
      local rho, loss_before, total = k < 4 and 0.3 or 0.1, 0, 0
      local loss = icl.step(function()
        return optimizer:step(0.05, function()
          calls = calls + 1
          local loss = quartic(a, b)
          loss:backward()
          return loss
        end)
      end)
      for _, w in ipairs(p) do
        loss_before = loss_before + w ^ 4 / 4
        total = total + (w ^ 3 * (adaptive and w or 1)) ^ 2
      end
      for i, w in ipairs(p) do
        local e = rho * w ^ 3 * (adaptive and w * w or 1) / math.sqrt(total)
        v[i] = 0.9 * v[i] + (w + e) ^ 3 + 0.1 * w
        p[i] = w - 0.05 * v[i]
      end
      check.near(loss:item(), loss_before, 1e-5)
      check.near(a:get()[1], p[1], 1e-5)
      check.near(a:get()[2], p[2], 1e-5)
      check.near(b:get()[1], p[3], 1e-5)
    end
    check.equal(calls, 10)
  end)
end

check("sam leaves the statistics of batch norm to the first pass, and frozen parameters alone", function()
  local function statistics(wrap)
    icl.random.seed(3)
    local model = icl.nn.sequential { icl.nn.linear(4, 3), icl.nn.batch_norm(3), icl.nn.linear(3, 2) }
    model[1]:freeze()
    local optimizer = wrap(icl.optim.sgd(model), model)
    local x = icl.random.normal { 8, 4 }
    icl.step(function()
      optimizer:step(0.1, function() icl.loss.mse(model(x), icl.zeros { 8, 2 }):backward() end)
    end)
    return model[2].running_mean:get(), model[1].weight:get()[1][1], model[3].weight:get()[1][1]
  end
  local plain, frozen, moved = statistics(function(base) return base end)
  local wrapped, still, other = statistics(function(base, model)
    return icl.optim.sam(base, { rho = 1, model = model })
  end)
  for i, value in ipairs(plain) do check.equal(wrapped[i], value) end
  check.equal(still, frozen)
  check.equal(other ~= moved, true)
end)

-- ---- lookahead ----

check("lookahead", function()
  local w, p = parameter({ 9, 9 }, "w"), { 1, -2 }
  local optimizer = icl.optim.lookahead(icl.optim.sgd(groups(w), { momentum = 0, nesterov = false }),
    { k = 3, alpha = 0.25 })
  w:set(p)  -- slow weights begin in the first step, not when they are made
  local slow, plans = { 1, -2 }, nil
  for t = 1, 10 do
    local g = math.sin(t)
    icl.step(function()
      (w * g):sum():backward()
      optimizer:step(0.1 * t)
    end)
    for i = 1, 2 do
      p[i] = p[i] - 0.1 * t * g
      if t % 3 == 0 then
        slow[i] = slow[i] + 0.25 * (p[i] - slow[i])
        p[i] = slow[i]
      end
      check.near(w:get()[i], p[i], 1e-5)
    end
    if t == 2 then plans = icl.statistics().plans_made end
  end
  check.equal(icl.statistics().plans_made, plans)
end)

check("lookahead of a parameter that is frozen at first", function()
  local a, b = parameter({ 1 }, "a"), parameter({ 5 }, "b")
  local optimizer = icl.optim.lookahead(icl.optim.sgd(groups(a, b), { momentum = 0, nesterov = false }), { k = 2 })
  for t = 1, 4 do
    b:freeze(t < 3)
    icl.step(function()
      (a + b):sum():backward()
      optimizer:step(1)
    end)
  end
  check.near(b:get()[1], 5 + 0.5 * -2, 1e-6)
  check.near(a:get()[1], 1 + 0.5 * -2 + 0.5 * -2, 1e-6)
end)

-- ---- saved and resumed ----

local makers = {
  muon = function(model) return icl.optim.muon(model) end,
  nadam = function(model) return icl.optim.nadam(model) end,
  sam = function(model) return icl.optim.sam(icl.optim.sgd(model), { model = model }) end,
  lookahead = function(model) return icl.optim.lookahead(icl.optim.adamw(model), { k = 2 }) end,
  both = function(model)
    local lion = icl.optim.lion(model, { weight_decay = 0.1 })
    return icl.optim.lookahead(icl.optim.sam(lion, { model = model }), { k = 3 })
  end,
}

-- Some steps, from what an earlier call returned.
local function train(make, first, last, from)
  icl.random.seed(5)
  local model = icl.nn.sequential { icl.nn.linear(4, 3), icl.nn.batch_norm(3), icl.nn.linear(3, 2) }
  local x = icl.random.normal { 8, 4 }
  local optimizer = make(model)
  if from then
    icl.weights.load_state_dict(model, from.model, { target = "the model" })
    optimizer:load_state_dict(from.state)
    optimizer:settings(from.settings)
  end
  for t = first, last do
    model[1]:freeze(t < 3)
    if t == 3 and optimizer.options.alpha then optimizer.options.alpha = 0.75 end
    if t == 3 and optimizer.options.rho then optimizer.options.rho = 0.5 end
    icl.step(function()
      optimizer:step(0.1 / t, function() icl.loss.mse(model(x) * t, icl.zeros { 8, 2 }):backward() end)
    end)
  end
  return { model = icl.weights.state_dict(model), state = optimizer:state_dict(), settings = optimizer:settings() }
end

for name, make in pairs(makers) do
  check(name .. " goes on with the same bytes", function()
    local whole = train(make, 1, 7)
    local parts = train(make, 5, 7, train(make, 1, 4))
    for _, key in ipairs { "model", "state" } do
      check.equal(#parts[key], #whole[key])
      for i, item in ipairs(whole[key]) do
        check.equal(parts[key][i].name, item.name)
        check.equal(parts[key][i].tensor:bytes() == item.tensor:bytes(), true)
      end
    end
  end)
end

-- Trains in icl.fit with the optimizer that `wrap` makes of SGD; -> how often the model was called in training.
local function fit(wrap)
  local bytes, labels = {}, {}
  for k = 1, 8 * 16 do bytes[k] = string.char(k * k % 251) end
  for k = 1, 8 do labels[k] = k % 2 end
  local images = icl.tensor(table.concat(bytes), { dtype = "u8", shape = { 8, 4, 4, 1 } })
  local set = icl.data.set { images = images, labels = icl.tensor(labels, { dtype = "i64" }), classes = 2,
                             mean = { 0.5 }, std = { 0.2 } }
  local model = icl.nn.sequential { icl.nn.conv2d(1, 2, 3), icl.nn.batch_norm(2), icl.nn.global_avg_pool(),
                                    icl.nn.linear(2, 2) }
  local count = 0
  local figures = icl.fit {
    model = model, train = set, quiet = true, optimizer = wrap(icl.optim.sgd(model), model),
    options = { epochs = 1, batch_size = 4, schedule = "constant", random_crop = false, drop_last = true },
    loss = function(logits, target)
      count = count + 1
      return icl.loss.cross_entropy(logits, target)
    end,
  }
  check.equal(figures.train.loss > 0, true)
  return count
end

check("icl.fit calls what leaves gradients as often as an optimizer asks for", function()
  check.equal(fit(function(base) return base end), 2)
  check.equal(fit(function(base, model) return icl.optim.sam(base, { model = model }) end), 4)
  check.equal(fit(function(base) return icl.optim.lookahead(base) end), 2)
  check.equal(fit(function(base) return { step = function(_, rate) base:step(rate) end } end), 2)
end)

check("options make them", function()
  local options = icl.options.training:defaults()
  options.optimizer, options.sam_rho, options.sam_adaptive, options.lookahead = "lion", 0.1, true, 7
  local model = icl.nn.linear(3, 2)
  local optimizer = icl.optim.from_options(options, model)
  check.equal(optimizer.options.k, 7)
  check.equal(optimizer.options.alpha, 0.5)
  check.equal(optimizer.base.options.rho, 0.1)
  check.equal(optimizer.base.options.adaptive, true)
  check.equal(optimizer.base.base.options.betas[2], 0.99)
end)

check("mistakes", function()
  local w = parameter({ 1 }, "w")
  local base = icl.optim.sgd(groups(w))
  for _, case in ipairs {
    { function() icl.optim.sam(w) end, "icl.optim.sam: it wraps an optimizer" },
    { function() icl.optim.lookahead() end, "icl.optim.lookahead: it wraps an optimizer, .* not nil" },
    { function() icl.optim.sam(base, { rhoo = 1 }) end, "icl.optim.sam: there is no option 'rhoo'" },
    { function() icl.optim.sam(base, { rho = -1 }) end, "rho is %-1" },
    { function() icl.optim.sam(base, { model = 3 }) end, "model is 3; it must be a module" },
    { function() icl.optim.sam(base):step(0.1) end, "step: it takes a rate and a function that computes the loss" },
    { function() base:step(0.1, 3) end, "icl.optim.sgd: step: it takes a rate and a function that leaves gradients" },
    { function() icl.optim.lookahead(base, { k = 0 }) end, "k is 0; it must be an integer of at least 1" },
    { function() icl.optim.lookahead(base, { alpha = 2 }) end, "alpha is 2; it must be at most 1" },
    { function() icl.step(function() icl.optim.sam(base):step(0.1, function() end) end) end,
      "icl.optim.sam: parameter w has no gradient" },
  } do
    check.raises(case[1], case[2])
  end
end)

check.close()
