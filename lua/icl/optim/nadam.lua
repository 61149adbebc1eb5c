-- optim/nadam.lua: NAdam, Adam with Nesterov's look-ahead (Dozat 2016), as PyTorch writes it; in step t
--   mu = beta1 (1 - 0.96^(t momentum_decay) / 2), mu' the same of step t + 1, M the product of mu so far
--   g = gradient + weight_decay p;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
--   p = p - lr ((1 - mu) / (1 - M) g + mu' / (1 - M mu') m) / (sqrt(v / (1 - beta2^t)) + eps)
-- With `decoupled` the gradient is left as it is, and p = p - lr weight_decay p - ...
-- icl.optim.nadam(module or groups [, options]) -> an optimizer. What all of them share: help(icl.optim.define).
local moments = require "icl.optim.moments"

local defaults = { betas = { 0.9, 0.999 }, eps = 1e-8, momentum_decay = 4e-3, decoupled = false }

local function prepare(s)
  local function mu(t) return s.betas[1] * (1 - 0.5 * 0.96 ^ (t * s.momentum_decay)) end
  local now, later = mu(s.t), mu(s.t + 1)
  local product = s.group.mu_product * now
  s.group.mu_product:write(product)
  s.of_gradient = (s.lr * (1 - now) / (1 - product)):cast "f32"
  s.of_mean = (s.lr * later / (1 - product * later)):cast "f32"
  local _, second = moments.corrections(s)
  s.root = second:sqrt():cast "f32"
end

local function update(p, g, own, s)
  local all = moments.numbers(s)
  if not s.decoupled then g = g + all.weight_decay * p end
  local m, v = moments.update(g, own, s)
  local moved = (s.of_gradient * g + s.of_mean * m) / (v:sqrt() / s.root + all.eps)
  return (s.decoupled and p - all.decay * p or p) - moved
end

return require "icl.optim.define"("nadam", {
  defaults = defaults, counts = true, states = { "exp_avg", "exp_avg_sq" }, group_states = { mu_product = 1 },
  check = moments.check, prepare = prepare, update = update,
})
