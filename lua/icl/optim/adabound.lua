-- optim/adabound.lua: AdaBound (Luo et al. 2019): Adam whose rates lie within bounds that close in on that of SGD. In
-- step t, with m and v as in Adam and f = final_lr lr / base_lr, element by element
--   g = gradient + weight_decay p
--   rate = lr sqrt(1 - beta2^t) / (1 - beta1^t) / (sqrt(v) + eps)
--   rate = rate within f (1 - 1 / (gamma t + 1)) and f (1 + 1 / (gamma t));  p = p - rate m
-- base_lr is the learning rate that final_lr is meant for, before any schedule. With `decoupled` (AdaBoundW) the
-- gradient is left as it is, and p = p - rate m - weight_decay p, whatever lr.
-- icl.optim.adabound(module or groups [, options]) -> an optimizer. What all of them share: help(icl.optim.define).
local fail = require "icl.internal.fail"
local moments = require "icl.optim.moments"

local defaults = {
  betas = { 0.9, 0.999 }, eps = 1e-8, base_lr = 1e-3, final_lr = 0.1, gamma = 1e-3, decoupled = false,
}

local function check(what, o)
  moments.check(what, o)
  for _, name in ipairs { "base_lr", "gamma" } do
    if o[name] == 0 then fail("%s: {" .. name .. "} is 0; it must be above 0", what) end
  end
end

local function prepare(s)
  local first, second = moments.corrections(s)
  local final = s.final_lr / s.base_lr * s.lr
  s.rate = (s.lr * second:sqrt() / first):cast "f32"
  s.lower = (final * (1 - 1 / (s.gamma * s.t + 1))):cast "f32"
  s.upper = (final * (1 + 1 / (s.gamma * s.t))):cast "f32"
end

local function update(p, g, own, s)
  local all = moments.numbers(s)
  local m, v = moments.update(s.decoupled and g or g + all.weight_decay * p, own, s)
  local moved = (s.rate / (v:sqrt() + all.eps)):clamp(s.lower, s.upper) * m
  return s.decoupled and p - moved - all.weight_decay * p or p - moved
end

return require "icl.optim.define"("adabound", {
  defaults = defaults, counts = true, states = { "exp_avg", "exp_avg_sq" },
  check = check, prepare = prepare, update = update,
})
