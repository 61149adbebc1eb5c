-- optim/lars.lua: layer-wise adaptive rates (You et al. 2017), without a trust coefficient. For each parameter
--   local = |p| / (|gradient| + weight_decay |p| + eps), or 1 where |p| < threshold
--   v = momentum v + lr local (gradient + weight_decay p);  p = p - v
-- icl.optim.lars(module or groups [, options]) -> an optimizer. What all of them share: help(icl.optim.define).
local ops = require "icl.core".ops
local leaves = require "icl.optim.leaves"

local defaults = { momentum = 0.9, eps = 1e-9, threshold = 1e-2 }

local function prepare(s)
  s.all = leaves { momentum = s.momentum, eps = s.eps, threshold = s.threshold, lr = s.lr,
                   weight_decay = s.weight_decay }
end

local function update(p, g, own, s)
  local all = s.all
  local norm = p:norm()
  local ratio = norm / (g:norm() + all.weight_decay * norm + all.eps)
  local rate = all.lr * ops.where(norm:lt(all.threshold), 1, ratio)
  local v = all.momentum * own.momentum_buffer + rate * (g + all.weight_decay * p)
  own.momentum_buffer:write(v)
  return p - v
end

return require "icl.optim.define"("lars", {
  defaults = defaults, states = { "momentum_buffer" },
  prepare = prepare, update = update,
})
