-- optim/adam.lua: Adam (Kingma and Ba 2015) as PyTorch writes it; in step t
--   g = gradient + weight_decay p;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
--   p = p - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
-- With amsgrad the largest v so far divides (Reddi et al. 2018). icl.optim.adamw decouples the decay.
-- icl.optim.adam(module or groups [, options]) -> an optimizer. What all of them share: help(icl.optim.define).
local moments = require "icl.optim.moments"

local defaults = { betas = { 0.9, 0.999 }, eps = 1e-8, amsgrad = false }

local function update(p, g, own, s)
  return p - moments.adam(g + moments.numbers(s).weight_decay * p, own, s)
end

return require "icl.optim.define"("adam", {
  defaults = defaults, counts = true, states = moments.adam_states, check = moments.check,
  prepare = moments.prepare_adam, update = update,
})
