-- optim/moments.lua: the running means of the gradient and of its square that Adam and its kin share.
local fail = require "icl.internal.fail"
local leaves = require "icl.optim.leaves"

local moments = {}

-- moments.check(what, o): an error unless o.betas are two numbers from 0 to less than 1.
function moments.check(what, o)
  for i = 1, 2 do
    if not (o.betas[i] and o.betas[i] < 1 and #o.betas == 2) then
      fail("%s: {betas} must be two numbers from 0 to less than 1, not { %s }", what, table.concat(o.betas, ", "))
    end
  end
end

-- 1 - beta1^t, 1 - beta2^t; f64, since little is left of the 1 at the start.
function moments.corrections(s)
  return 1 - s.betas[1] ^ s.t, 1 - s.betas[2] ^ s.t
end

-- moments.numbers(s) -> the numbers of all updates of a group as tensors: beta1, beta2, and what is left of 1, rest1
-- and rest2; eps, weight_decay, lr, and decay, lr times weight_decay.
function moments.numbers(s)
  local beta1, beta2 = s.betas[1], s.betas[2]
  s.all = s.all or leaves {
    beta1 = beta1, rest1 = 1 - beta1, beta2 = beta2, rest2 = 1 - beta2, eps = s.eps, weight_decay = s.weight_decay,
    lr = s.lr, decay = s.lr * s.weight_decay,
  }
  return s.all
end

-- Takes in a gradient; -> the means, exp_avg and exp_avg_sq.
function moments.update(g, own, s)
  local all = moments.numbers(s)
  local m = all.beta1 * own.exp_avg + all.rest1 * g
  local v = all.beta2 * own.exp_avg_sq + all.rest2 * (g * g)
  own.exp_avg:write(m)
  own.exp_avg_sq:write(v)
  return m, v
end

-- ---- a whole update of Adam, for those that are Adam but for what decays ----

-- The states that it needs.
function moments.adam_states(o)
  return { "exp_avg", "exp_avg_sq", o.amsgrad and "max_exp_avg_sq" or nil }
end

-- Once a step, before the updates of a group.
function moments.prepare_adam(s)
  local first, second = moments.corrections(s)
  s.rate, s.root = (s.lr / first):cast "f32", second:sqrt():cast "f32"
end

-- How far a parameter moves against the gradient g: lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps).
function moments.adam(g, own, s)
  local m, v = moments.update(g, own, s)
  if s.amsgrad then
    v = own.max_exp_avg_sq:maximum(v)
    own.max_exp_avg_sq:write(v)
  end
  return s.rate * m / (v:sqrt() / s.root + s.all.eps)
end

return moments
