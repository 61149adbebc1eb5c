-- optim/sgd.lua: stochastic gradient descent with momentum (Sutskever et al. 2013) as PyTorch writes it:
--   g = gradient + weight_decay p;  v = momentum v + g;  p = p - lr v
-- or, with Nesterov's look-ahead, p = p - lr (g + momentum v).
-- icl.optim.sgd(module or groups [, options]) -> an optimizer. What all of them share: help(icl.optim.define).
local ops = require "icl.core".ops
local fail = require "icl.internal.fail"
local leaves = require "icl.optim.leaves"

local defaults = { momentum = 0.9, nesterov = true }
local buffer_names, no_names = { "momentum_buffer" }, {}

local function prepare(s)
  s.all = leaves { lr = s.lr, momentum = s.momentum, weight_decay = s.weight_decay }
end

local function update(p, g, own, s)
  local all, buffer = s.all, own.momentum_buffer
  if not buffer then return p - all.lr * (g + all.weight_decay * p) end
  local v = ops.sgd_momentum(g, p, buffer, all.momentum, all.weight_decay)
  buffer:write(v)
  return s.nesterov and ops.sgd_nesterov(p, g, v, all.lr, all.momentum, all.weight_decay) or p - all.lr * v
end

return require "icl.optim.define"("sgd", {
  defaults = defaults,
  states = function(o) return o.momentum ~= 0 and buffer_names or no_names end,
  check = function(what, o)
    if not o.nesterov or o.momentum > 0 then return end
    fail("%s: {nesterov} needs a {momentum} above 0, or must be off", what)
  end,
  prepare = prepare, update = update,
})
