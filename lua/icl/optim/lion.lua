-- optim/lion.lua: Lion (Chen et al. 2023, algorithm 2): every element moves by lr, in the direction of a running mean:
--   p = p - lr (sign(beta1 m + (1 - beta1) gradient) + weight_decay p);  m = beta2 m + (1 - beta2) gradient
-- Rates are 3 to 10 times smaller than those of AdamW, and decays as much larger.
-- icl.optim.lion(module or groups [, options]) -> an optimizer. What all of them share: help(icl.optim.define).
local moments = require "icl.optim.moments"

local defaults = { betas = { 0.9, 0.99 } }

local function update(p, g, own, s)
  local beta1, beta2, m = s.betas[1], s.betas[2], own.exp_avg:read()
  own.exp_avg:write(beta2 * m + (1 - beta2) * g)
  return p - s.lr * s.weight_decay * p - s.lr * (beta1 * m + (1 - beta1) * g):sign()
end

return require "icl.optim.define"("lion", {
  defaults = defaults, states = { "exp_avg" }, check = moments.check, update = update,
})
