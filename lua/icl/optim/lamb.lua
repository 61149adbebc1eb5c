-- optim/lamb.lua: LAMB (You et al. 2020, algorithm 2): Adam with a rate for each parameter as its norm asks for; in
-- step t, with m and v as in Adam
--   u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay p
--   p = p - lr |p| / |u| u, and without |p| / |u| where one of the norms is 0
-- icl.optim.lamb(module or groups [, options]) -> an optimizer. What all of them share: help(icl.optim.define).
local ops = require "icl.core".ops
local moments = require "icl.optim.moments"

local defaults = { betas = { 0.9, 0.999 }, eps = 1e-6 }

local function prepare(s)
  local first, second = moments.corrections(s)
  s.first, s.root = first:cast "f32", second:sqrt():cast "f32"
end

local function update(p, g, own, s)
  local all = moments.numbers(s)
  local m, v = moments.update(g, own, s)
  local u = m / s.first / (v:sqrt() / s.root + all.eps) + all.weight_decay * p
  local norm, moved = p:norm(), u:norm()
  local none = (norm * moved):eq(0)
  return p - all.lr * ops.where(none, 1, norm / ops.where(none, 1, moved)) * u
end

return require "icl.optim.define"("lamb", {
  defaults = defaults, counts = true, states = { "exp_avg", "exp_avg_sq" }, check = moments.check, prepare = prepare,
  update = update,
})
