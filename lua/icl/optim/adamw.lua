-- optim/adamw.lua: AdamW (Loshchilov and Hutter 2019, algorithm 2) as PyTorch writes it: Adam whose decay is no part
-- of the gradient; in step t
--   m = beta1 m + (1 - beta1) gradient;  v = beta2 v + (1 - beta2) gradient^2
--   p = p - lr weight_decay p - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
-- With amsgrad the largest v so far divides (Reddi et al. 2018).
-- icl.optim.adamw(module or groups [, options]) -> an optimizer. What all of them share: help(icl.optim.define).
local moments = require "icl.optim.moments"

local defaults = { betas = { 0.9, 0.999 }, eps = 1e-8, amsgrad = false }

local function update(p, g, own, s)
  return p - moments.numbers(s).decay * p - moments.adam(g, own, s)
end

return require "icl.optim.define"("adamw", {
  defaults = defaults, counts = true, states = moments.adam_states, check = moments.check,
  prepare = moments.prepare_adam, update = update,
})
