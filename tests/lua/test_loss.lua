-- test_loss.lua: cross-entropy, softmax and log_softmax of logits that are infinite, and their gradients. A class is
-- masked by a logit of -inf; a row of nothing else, and one with +inf, have no softmax, and are NaN as in PyTorch. Then
-- every loss against its formula written out, and its gradient against differences.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local ops = icl.ops

local INF, NAN = math.huge, 0 / 0
local low, high = 1 / (1 + math.exp(1)), 1 / (1 + math.exp(-1))  -- softmax of (0, 1)

local function same(got, expected, dtype)
  for i = 1, #expected do
    if expected[i] ~= expected[i] then
      check.equal(got[i] ~= got[i], true)
    elseif got[i] ~= expected[i] then
      check.near(got[i], expected[i], dtype == "bf16" and 4e-3 or 1e-6)
    end
  end
end

-- logits, target distribution, loss, its gradient
local losses = {
  { { 0, 1, -INF }, { 0, 1, 0 }, -math.log(high), { low, high - 1, 0 } },
  { { 0, 1, -INF }, { 1, 0, 0 }, -math.log(low), { low - 1, high, 0 } },
  { { -INF, 5, -INF }, { 0, 1, 0 }, 0, { 0, 0, 0 } },
  { { 0, 1, -INF }, { 0.05, 0.9, 0.05 }, INF, { low - 0.05, high - 0.9, -0.05 } },
  { { 0, 1, -INF }, { 0, 0, 1 }, INF, { low, high, -1 } },
  { { -INF, -INF, -INF }, { 0, 1, 0 }, NAN, { NAN, NAN, NAN } },
  { { 0, INF, 1 }, { 0, 1, 0 }, NAN, { NAN, NAN, NAN } },
  { { 0, NAN, 1 }, { 1, 0, 0 }, NAN, { NAN, NAN, NAN } },
}

-- logits, softmax, log_softmax
local rows = {
  { { 0, 1, -INF }, { low, high, 0 }, { math.log(low), math.log(high), -INF } },
  { { -INF, 7, -INF }, { 0, 1, 0 }, { -INF, 0, -INF } },
  { { -INF, -INF, -INF }, { NAN, NAN, NAN }, { NAN, NAN, NAN } },
  { { 0, INF, 1 }, { NAN, NAN, NAN }, { NAN, NAN, NAN } },
}

for _, dtype in ipairs { "f32", "bf16", "f64" } do
  check("cross-entropy " .. dtype, function()
    for _, row in ipairs(losses) do
      local logits = icl.tensor({ row[1] }):cast(dtype):requires_grad()
      local loss = ops.cross_entropy(logits, icl.tensor { row[2] })
      same(loss:totable(), { row[3] })
      same(icl.grad(loss:sum(), { logits })[1]:totable()[1], row[4], dtype)
    end
  end)

  check("softmax and log_softmax " .. dtype, function()
    for _, row in ipairs(rows) do
      local logits = icl.tensor({ row[1] }):cast(dtype):requires_grad()
      local p, logp = logits:softmax(), ops.log_softmax(logits)
      same(p:totable()[1], row[2])
      same(logp:totable()[1], row[3])
      -- of the first class: p (e - p), e - p
      local first, all = icl.tensor { { 1, 0, 0 } }, row[2]
      local gradient, other = {}, {}
      for i = 1, 3 do
        other[i] = (i == 1 and 1 or 0) - all[i]
        gradient[i] = all[1] * other[i]
      end
      if all[1] == all[1] then gradient[2], gradient[3] = -all[1] * all[2], -all[1] * all[3] end
      same(icl.grad((p * first):sum(), { logits })[1]:totable()[1], gradient, dtype)
      same(icl.grad(logp:narrow(-1, 1, 1):sum(), { logits })[1]:totable()[1], other, dtype)
    end
  end)
end

check("labels", function()
  local logits, labels = icl.tensor { { 0, 1, -INF } }, icl.tensor({ 1 }, { dtype = "i64" })
  check.near(icl.loss.cross_entropy(logits, labels):item(), 0.31326, 1e-5)
  check.equal(icl.loss.cross_entropy(logits, labels, 0.1):item(), INF)
end)

-- ---- formulas ----

local function f64(data)
  return icl.tensor(data, { dtype = "f64" })
end

local function i64(data)
  return icl.tensor(data, { dtype = "i64" })
end

-- The values of f(x, y) for the elements of two tables of rows: in one list, and their sum.
local function elementwise(x, y, f)
  local list, total = {}, 0
  for i, row in ipairs(x) do
    for k, value in ipairs(row) do
      list[#list + 1] = f(value, y[i][k])
      total = total + list[#list]
    end
  end
  return list, total
end

local x = { { 0.3, -1.2, 0 }, { 2.5, 0.7, -30 } }
local y = { { 0.1, 0.9, 0.5 }, { 1, 0, 0.25 } }

local function huber(limit)
  return function(a, b)
    local d = math.abs(a - b)
    return d < limit and d * d / 2 or limit * (d - limit / 2)
  end
end

local function bce(weight)
  return function(a, b)
    local s = 1 / (1 + math.exp(-a))
    local rest = 1 / (1 + math.exp(a))  -- 1 - s, exactly
    return -(weight * b * math.log(s) + (1 - b) * math.log(rest))
  end
end

local function kl(a, b)
  return b > 0 and b * (math.log(b) - a) or 0
end

local of_elements = {
  { "mse", {}, function(a, b) return (a - b) ^ 2 end },
  { "l1", {}, function(a, b) return math.abs(a - b) end },
  { "huber", {}, huber(1) },
  { "huber", { delta = 0.5 }, huber(0.5) },
  { "smooth_l1", {}, huber(1) },
  { "smooth_l1", { beta = 0.5 }, function(a, b) return huber(0.5)(a, b) / 0.5 end },
  { "bce_with_logits", {}, bce(1) },
  { "bce_with_logits", { pos_weight = 3 }, bce(3) },
  { "kl_div", {}, kl },
  { "kl_div", { log_target = true }, function(a, b) return math.exp(b) * (b - a) end },
}

local function with(options, more)
  local all = {}
  for _, set in ipairs { options, more } do
    for name, value in pairs(set) do all[name] = value end
  end
  return all
end

for _, case in ipairs(of_elements) do
  local name, options, formula = table.unpack(case)
  check("the formula of " .. name, function()
    local loss = icl.loss[name]
    local list, total = elementwise(x, y, formula)
    for _, make in ipairs { f64, icl.tensor } do
      local tolerance = make == f64 and 1e-12 or 1e-4
      check.near(loss(make(x), make(y), options):item(), total / 6, tolerance)
      check.near(loss(make(x), make(y), with(options, { reduction = "sum" })):item(), total, tolerance)
      local each = loss(make(x), make(y), with(options, { reduction = "none" })):reshape(-1):totable()
      for i, value in ipairs(list) do check.near(each[i], value, tolerance) end
    end
    icl.gradcheck(function(a, b) return loss(a, b, with(options, { reduction = "none" })) end,
      { f64 { { 0.3, -1.2 }, { 2.5, 0.7 } }, f64 { { 0.1, 0.9 }, { 1, 0.2 } } })
  end)
end

check("binary cross-entropy of large logits, at 0, and with a weight for each class", function()
  local logits = icl.tensor({ 500, -500, 0 }):requires_grad()
  local loss = icl.loss.bce_with_logits(logits, icl.tensor { 0, 1, 1 }, { reduction = "sum" })
  check.near(loss:item(), 1000 + math.log(2), 1e-3)
  local gradient = icl.grad(loss, { logits })[1]:totable()
  for i, value in ipairs { 1, -1, -0.5 } do check.near(gradient[i], value, 1e-6) end
  local weighted = icl.loss.bce_with_logits(f64(x), f64(y), { pos_weight = { 1, 2, 3 }, reduction = "none" })
  local got = weighted:totable()
  for k = 1, 3 do check.near(got[1][k], bce(k)(x[1][k], y[1][k]), 1e-12) end
end)

check("a target of probability 0 adds nothing to a divergence, and batchmean divides by images", function()
  local input = f64({ { math.log(0.25), math.log(0.75), -INF } }):requires_grad()
  local loss = icl.loss.kl_div(input, f64 { { 0.5, 0.5, 0 } }, { reduction = "batchmean" })
  check.near(loss:item(), 0.5 * math.log(2) + 0.5 * math.log(0.5 / 0.75), 1e-12)
  local gradient = icl.grad(loss, { input })[1]:totable()[1]
  for i, value in ipairs { -0.5, -0.5, 0 } do check.near(gradient[i], value, 1e-12) end
  local target = f64({ { 0.5, 0.5, 0 } }):requires_grad()
  gradient = icl.grad(icl.loss.kl_div(f64 { { -1, -2, -3 } }, target, { reduction = "sum" }), { target })[1]:totable()[1]
  check.equal(gradient[3], 0)
  local odd = icl.loss.kl_div(f64 { -1, -2, -3 }, f64 { -0.5, 0, 1 }, { reduction = "none" }):totable()
  same(odd, { NAN, 0, 3 }, "f64")  -- as in PyTorch: there is no logarithm of a target below 0
end)

-- log softmax of a row.
local function log_softmax(row)
  local total, result = 0, {}
  for _, value in ipairs(row) do total = total + math.exp(value) end
  for k, value in ipairs(row) do result[k] = value - math.log(total) end
  return result
end

-- - sum q w (1 - p)^gamma log p of each row.
local function row_losses(logits, q, weight, gamma)
  local list = {}
  for i, row in ipairs(logits) do
    list[i] = 0
    for k, logp in ipairs(log_softmax(row)) do
      list[i] = list[i] - q[i][k] * (weight and weight[k] or 1) * (1 - math.exp(logp)) ^ (gamma or 0) * logp
    end
  end
  return list
end

local logits = { { 0.5, -1, 2 }, { 0, 0.25, -0.5 } }
local labels, hard, soft = { 2, 0 }, { { 0, 0, 1 }, { 1, 0, 0 } }, { { 0.2, 0.5, 0.3 }, { 0.6, 0, 0.4 } }
local weight = { 0.5, 2, 3 }

check("cross-entropy with a distribution, class weights, smoothing and reductions", function()
  local function expect(target, options, list, divisor)
    check.near(icl.loss.cross_entropy(f64(logits), target, options):item(), (list[1] + list[2]) / divisor, 1e-7)
  end
  expect(f64(soft), nil, row_losses(logits, soft), 2)
  expect(f64(soft), { weight = weight }, row_losses(logits, soft, weight), 2)
  expect(i64(labels), nil, row_losses(logits, hard), 2)
  expect(i64(labels), { weight = weight }, row_losses(logits, hard, weight), weight[3] + weight[1])
  expect(i64(labels), { weight = f64(weight) }, row_losses(logits, hard, weight), weight[3] + weight[1])
  expect(i64(labels), { weight = weight, reduction = "sum" }, row_losses(logits, hard, weight), 1)
  local smoothed = {}
  for i, row in ipairs(hard) do
    smoothed[i] = {}
    for k, value in ipairs(row) do smoothed[i][k] = value * 0.7 + 0.1 end
  end
  expect(i64(labels), 0.3, row_losses(logits, smoothed), 2)
  expect(i64(labels), { smoothing = 0.3, weight = weight }, row_losses(logits, smoothed, weight), weight[3] + weight[1])
  local mixture = { labels = { i64(labels), i64 { 1, 1 } }, weights = { 0.25, 0.75 } }
  local mixed = { { 0, 0.75, 0.25 }, { 0.25, 0.75, 0 } }
  expect(mixture, { weight = weight }, row_losses(logits, mixed, weight),
    0.25 * (weight[3] + weight[1]) + 0.75 * 2 * weight[2])
  expect(i64 { 2, -100 }, { ignore_index = -100 }, { row_losses(logits, hard)[1], 0 }, 1)
  expect(i64 { 2, 0 }, { ignore_index = 0, weight = weight, smoothing = 0.3 },
    { row_losses(logits, smoothed, weight)[1], 0 }, weight[3])
  local ignoring = { ignore_index = -1, reduction = "none" }
  check.equal(icl.loss.cross_entropy(f64(logits), i64 { -1, 0 }, ignoring)[1]:item(), 0)
  check.raises(function() icl.loss.cross_entropy(f64(logits), f64(soft), ignoring) end, "ignore_index is for labels")
  check.raises(function() icl.loss.focal(f64(logits), i64(labels), ignoring) end, "no option 'ignore_index'")
  local drawn = icl.step(function()  -- labels that a step computes are not looked at before
    return icl.loss.cross_entropy(f64(logits), i64 { 2, 5 } + i64 { 0, 1 }):item()
  end)
  check.equal(drawn ~= drawn, true)
  local each = icl.loss.cross_entropy(f64(logits), i64(labels), { reduction = "none" }):totable()
  for i, value in ipairs(row_losses(logits, hard)) do check.near(each[i], value, 1e-12) end
  icl.gradcheck(function(a, q) return icl.loss.cross_entropy(a, q, { weight = weight, smoothing = 0.1 }) end,
    { f64(logits), f64(soft) })
end)

check("focal loss", function()
  for _, gamma in ipairs { 0, 0.5, 1, 2, 5 } do
    local list = row_losses(logits, hard, weight, gamma)
    local got = icl.loss.focal(f64(logits), i64(labels), { gamma = gamma, weight = weight })
    check.near(got:item(), (list[1] + list[2]) / 2, 1e-7)
    icl.gradcheck(function(a) return icl.loss.focal(a, i64(labels), { gamma = gamma, reduction = "none" }) end,
      { f64(logits) })
    -- an image that is certain, and a class that is masked
    local certain = icl.tensor({ { 100, 0, -INF } }):requires_grad()
    local loss = icl.loss.focal(certain, i64 { 0 }, { gamma = gamma })
    check.equal(loss:item(), 0)
    same(icl.grad(loss, { certain })[1]:totable()[1], { 0, 0, 0 })
  end
  local usual = row_losses(logits, soft, nil, 2)
  check.near(icl.loss.focal(f64(logits), f64(soft)):item(), (usual[1] + usual[2]) / 2, 1e-7)
end)

check("losses in a step, of a batch that is bf16", function()
  local a, b = icl.tensor(x):cast "bf16", icl.tensor(y):cast "bf16"
  local loss = icl.step(function() return icl.loss.mse(a, b) end)
  check.equal(loss:dtype(), "f32")
  local _, total = elementwise(a:cast("f32"):totable(), b:cast("f32"):totable(), function(p, q) return (p - q) ^ 2 end)
  check.near(loss:item(), total / 6, 1e-3)
end)

check("mistakes", function()
  local loss, a = icl.loss, icl.tensor(logits)
  for _, case in ipairs {
    { function() loss.mse(a, icl.tensor { 1, 2, 3 }) end, "loss.mse: the input is %(2, 3%), but the target %(3%)" },
    { function() loss.mse(a) end, "loss.mse: target is nil; it must be a tensor" },
    { function() loss.l1(a, a, { reduction = "avg" }) end, "loss.l1: reduction is avg; it must be one of mean, sum" },
    { function() loss.l1(a, a, { reduction = "batchmean" }) end, "must be one of mean, sum, none" },
    { function() loss.l1(a, a, { beta = 1 }) end, "loss.l1: there is no option 'beta'" },
    { function() loss.huber(a, a, { delta = 0 }) end, "loss.huber: delta is 0; it must be above 0" },
    { function() loss.smooth_l1(a, a, { beta = "x" }) end, "loss.smooth_l1: beta is 'x'; it must be a number" },
    { function() loss.bce_with_logits(a, a, { pos_weight = { 1, 2 } }) end,
      "pos_weight is %(2%), but there are 3 classes" },
    { function() loss.kl_div(icl.tensor(1), icl.tensor(1), { reduction = "batchmean" }) end,
      "loss.kl_div: reduction batchmean divides by the images, but the input is a single number" },
    { function() loss.huber(a, a, { delta = 0 / 0 }) end, "loss.huber: delta is nan; it must be a number" },
    { function() loss.cross_entropy(a, i64 { 1 }) end,
      "loss.cross_entropy: the logits are %(2, 3%), but the target is one for %(1, 3%)" },
    { function() loss.focal(a, i64 { 1 }) end,
      "loss.focal: the logits are %(2, 3%), but the target is one for %(1, 3%)" },
    { function() loss.cross_entropy(a, { labels = { i64(labels), i64 { 1 } }, weights = { 0.5, 0.5 } }) end,
      "loss: labels 2 of a mixture are %(1%), the first ones %(2%); all are of the same images" },
    { function() loss.cross_entropy(a, { labels = { i64 { 1 }, i64 { 2 } }, weights = { 0.5, 0.5 } }) end,
      "the target is one for %(1, 3%)" },
    { function() loss.cross_entropy(a, { labels = { 1 }, weights = { 1 } }) end,
      "loss: labels 1 of a mixture is 1; it must be a tensor" },
    { function() loss.dual_cutout({ a, a }, i64(labels), "x") end,
      "loss.dual_cutout: alpha is 'x'; it must be a finite number" },
    { function() loss.kl_div(a, a, { log_target = 1 }) end, "loss.kl_div: log_target is 1; it must be true or false" },
    { function() loss.cross_entropy(a, i64(labels), { weight = { 1, 2 } }) end,
      "loss.cross_entropy: weight is %(2%), but there are 3 classes" },
    { function() loss.cross_entropy(a, i64(labels), { weight = { 1, -2, 1 } }) end, "weight 2 is %-2" },
    { function() loss.cross_entropy(a, icl.tensor { 0.5, 0.5 }) end,
      "the target is f32 %(2%); a distribution is %(n, 3%), labels are i64 %(n%)" },
    { function() loss.cross_entropy(a, i64(labels), { smoothin = 0.1 }) end, "did you mean smoothing" },
    { function() loss.cross_entropy(a, i64(labels), { smoothing = 1.5 }) end,
      "loss: smoothing is 1.5; it must be a number from 0 to 1" },
    { function() loss.focal(a, i64(labels), { gamma = -1 }) end, "loss.focal: gamma is %-1" },
  } do
    check.raises(case[1], case[2])
  end
end)

check.close()
