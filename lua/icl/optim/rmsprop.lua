-- optim/rmsprop.lua: RMSprop (Tieleman and Hinton 2012, lecture 6.5) as PyTorch writes it:
--   g = gradient + weight_decay p;  v = alpha v + (1 - alpha) g^2;  u = g / (sqrt(v) + eps)
--   b = momentum b + u;  p = p - lr b
-- With centered, v - a^2 is in the place of v, a = alpha a + (1 - alpha) g (Graves 2013).
-- icl.optim.rmsprop(module or groups [, options]) -> an optimizer. What all of them share: help(icl.optim.define).
local fail = require "icl.internal.fail"
local leaves = require "icl.optim.leaves"

local defaults = { alpha = 0.99, eps = 1e-8, momentum = 0, centered = false }

local function states(o)
  local names = { "square_avg" }
  if o.centered then names[#names + 1] = "grad_avg" end
  if o.momentum ~= 0 then names[#names + 1] = "momentum_buffer" end
  return names
end

local function check(what, o)
  if o.alpha >= 1 then fail("%s: alpha is %s; it must be less than 1", what, o.alpha) end
end

local function prepare(s)
  s.all = leaves { alpha = s.alpha, rest = 1 - s.alpha, eps = s.eps, momentum = s.momentum, lr = s.lr,
                   weight_decay = s.weight_decay }
end

local function update(p, g, own, s)
  local all = s.all
  g = g + all.weight_decay * p
  local v = all.alpha * own.square_avg + all.rest * (g * g)
  own.square_avg:write(v)
  if s.centered then
    local mean = all.alpha * own.grad_avg + all.rest * g
    own.grad_avg:write(mean)
    v = (v - mean * mean):maximum(0)  -- rounding may leave less
  end
  local moved = g / (v:sqrt() + all.eps)
  if own.momentum_buffer then
    moved = all.momentum * own.momentum_buffer + moved
    own.momentum_buffer:write(moved)
  end
  return p - all.lr * moved
end

return require "icl.optim.define"("rmsprop", {
  defaults = defaults, states = states, check = check, prepare = prepare, update = update,
})
