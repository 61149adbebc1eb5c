-- optim/adam.lua: Adam (Kingma and Ba 2015) as PyTorch writes it; in step t
--   g = gradient + weight_decay p;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
--   p = p - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
-- With amsgrad the largest v so far divides (Reddi et al. 2018).
-- icl.optim.adam(module or groups [, options]) -> an optimizer. What all of them share: help(icl.optim.define).
local moments = require "icl.optim.moments"

local defaults = { betas = { 0.9, 0.999 }, eps = 1e-8, amsgrad = false }

local function prepare(s)
  local first, second = moments.corrections(s)
  s.rate, s.root = (s.lr / first):cast "f32", second:sqrt():cast "f32"
end

local function update(p, g, own, s)
  local m, v = moments.update(g + s.weight_decay * p, own, s)
  if s.amsgrad then
    v = own.max_exp_avg_sq:maximum(v)
    own.max_exp_avg_sq:write(v)
  end
  return p - s.rate * m / (v:sqrt() / s.root + s.eps)
end

return require "icl.optim.define"("adam", {
  defaults = defaults,
  counts = true,
  states = function(o) return { "exp_avg", "exp_avg_sq", o.amsgrad and "max_exp_avg_sq" or nil } end,
  check = moments.check,
  prepare = prepare,
  update = update,
})
