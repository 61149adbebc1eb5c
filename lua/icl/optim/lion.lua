-- optim/lion.lua: Lion (Chen et al. 2023, algorithm 2): every element moves by lr, in the direction of a running mean:
--   p = p - lr (sign(beta1 m + (1 - beta1) gradient) + weight_decay p);  m = beta2 m + (1 - beta2) gradient
-- Rates are 3 to 10 times smaller than those of AdamW, and decays as much larger.
-- icl.optim.lion(module or groups [, options]) -> an optimizer. What all of them share: help(icl.optim.define).
local moments = require "icl.optim.moments"

local defaults = { betas = { 0.9, 0.99 } }

local function update(p, g, own, s)
  local all, m = moments.numbers(s), own.exp_avg:read()
  own.exp_avg:write(all.beta2 * m + all.rest2 * g)
  return p - all.decay * p - all.lr * (all.beta1 * m + all.rest1 * g):sign()
end

return require "icl.optim.define"("lion", {
  defaults = defaults, states = { "exp_avg" }, check = moments.check, update = update,
})
