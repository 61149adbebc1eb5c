-- test_loss.lua: cross-entropy, softmax and log_softmax of logits that are infinite, and their gradients. A class is
-- masked by a logit of -inf; a row of nothing else, and one with +inf, have no softmax, and are NaN as in PyTorch.
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

check.close()
