-- optimizers.lua: what the tests of optimizers share: parameters and steps, and the rules of updates, written out for
-- one number.
local icl = require "icl"

-- A state of this name that is trained.
local function parameter(data, name)
  return icl.state(data, { trainable = true, name = name })
end

-- One group of these.
local function groups(...)
  local list = {}
  for i, state in ipairs { ... } do list[i] = { name = state.name, state = state } end
  return { { parameters = list } }
end

-- One step on the loss sum(c w), whose gradient is c.
local function step(optimizer, lr, ...)
  local pairs_of = { ... }
  icl.step(function()
    for _, pair in ipairs(pairs_of) do (pair[1] * pair[2]):sum():backward() end
    optimizer:step(lr)
  end)
end

-- What each optimizer makes of a parameter p with the gradients g(1), g(2), ...: rules for one number. `m` and `v` are
-- its states; lr is constant.
local rules = {}

function rules.sgd(p, g, o, own)
  g = g + o.weight_decay * p
  own.v = o.momentum * (own.v or 0) + g
  return p - o.lr * (o.nesterov and g + o.momentum * own.v or own.v)
end

function rules.lars(p, g, o, own)
  local ratio = math.abs(p) / (1e-9 + math.abs(g) + o.weight_decay * math.abs(p))
  local rate = o.lr * (math.abs(p) < 1e-2 and 1 or ratio)
  own.v = o.momentum * (own.v or 0) + rate * (g + o.weight_decay * p)
  return p - own.v
end

local function moments(g, o, own)
  local beta1, beta2 = o.betas[1], o.betas[2]
  own.t = (own.t or 0) + 1
  own.m = beta1 * (own.m or 0) + (1 - beta1) * g
  own.v = beta2 * (own.v or 0) + (1 - beta2) * g * g
  return own.m, own.v, 1 - beta1 ^ own.t, 1 - beta2 ^ own.t
end

function rules.adam(p, g, o, own)
  local m, v, first, second = moments(g + o.weight_decay * p, o, own)
  if o.amsgrad then
    own.largest = math.max(own.largest or 0, v)
    v = own.largest
  end
  return p - o.lr / first * m / (math.sqrt(v) / math.sqrt(second) + 1e-8)
end

function rules.adabound(p, g, o, own)
  local m, v, first, second = moments(o.decoupled and g or g + o.weight_decay * p, o, own)
  local final, t = o.final_lr * o.lr / o.base_lr, own.t
  local rate = o.lr * math.sqrt(second) / first / (math.sqrt(v) + 1e-8)
  rate = math.min(math.max(rate, final * (1 - 1 / (o.gamma * t + 1))), final * (1 + 1 / (o.gamma * t)))
  return p - rate * m - (o.decoupled and o.weight_decay * p or 0)
end

function rules.adamw(p, g, o, own)
  local decayed = p - o.lr * o.weight_decay * p
  return decayed + rules.adam(p, g, setmetatable({ weight_decay = 0 }, { __index = o }), own) - p
end

function rules.nadam(p, g, o, own)
  local m, v, _, second = moments(o.decoupled and g or g + o.weight_decay * p, o, own)
  local function mu(t) return o.betas[1] * (1 - 0.5 * 0.96 ^ (t * o.momentum_decay)) end
  local now, later = mu(own.t), mu(own.t + 1)
  own.product = (own.product or 1) * now
  local gradient = o.decoupled and g or g + o.weight_decay * p
  local moved = (1 - now) / (1 - own.product) * gradient + later / (1 - own.product * later) * m
  return (o.decoupled and p - o.lr * o.weight_decay * p or p) - o.lr * moved / (math.sqrt(v / second) + 1e-8)
end

function rules.rmsprop(p, g, o, own)
  g = g + o.weight_decay * p
  own.v = o.alpha * (own.v or 0) + (1 - o.alpha) * g * g
  own.a = o.alpha * (own.a or 0) + (1 - o.alpha) * g
  local square = o.centered and own.v - own.a ^ 2 or own.v
  own.b = (o.momentum or 0) * (own.b or 0) + g / (math.sqrt(square) + 1e-8)
  return p - o.lr * own.b
end

function rules.lion(p, g, o, own)
  local m = own.m or 0
  local c = o.betas[1] * m + (1 - o.betas[1]) * g
  own.m = o.betas[2] * m + (1 - o.betas[2]) * g
  return p - o.lr * ((c > 0 and 1 or c < 0 and -1 or 0) + o.weight_decay * p)
end

function rules.lamb(p, g, o, own)
  local m, v, first, second = moments(g, o, own)
  local u = m / first / (math.sqrt(v / second) + 1e-6) + o.weight_decay * p
  local ratio = (p == 0 or u == 0) and 1 or math.abs(p) / math.abs(u)
  return p - o.lr * ratio * u
end

-- A vector is moved by AdamW, at a rate of its own.
function rules.muon(p, g, o, own)
  return rules.adamw(p, g, setmetatable({ lr = o.lr * o.adamw_lr_scale }, { __index = o }), own)
end

-- Gradients that vary in size and sign.
local function gradient(k)
  return math.sin(k) * 3 ^ (k % 3)
end

local settings = {
  { "sgd", { momentum = 0.9, nesterov = true } },
  { "sgd", { momentum = 0.9, nesterov = false } },
  { "sgd", { momentum = 0, nesterov = false } },
  { "lars", { momentum = 0.8 } },
  { "adam", { betas = { 0.9, 0.999 } } },
  { "adam", { betas = { 0.8, 0.5 } } },
  { "adam", { betas = { 0.8, 0.5 }, amsgrad = true } },
  { "adabound", { betas = { 0.9, 0.999 }, base_lr = 0.1, final_lr = 0.5, gamma = 1e-3 } },
  { "adabound", { betas = { 0.8, 0.5 }, base_lr = 0.1, final_lr = 0.01, gamma = 0.5 } },
  { "adabound", { betas = { 0.9, 0.999 }, base_lr = 0.1, final_lr = 0.1, gamma = 0.1, decoupled = true } },
  { "adamw", { betas = { 0.9, 0.999 } } },
  { "adamw", { betas = { 0.8, 0.5 }, amsgrad = true } },
  { "nadam", { betas = { 0.9, 0.999 }, momentum_decay = 4e-3 } },
  { "nadam", { betas = { 0.8, 0.5 }, momentum_decay = 0.5, decoupled = true } },
  { "rmsprop", { alpha = 0.99 } },
  { "rmsprop", { alpha = 0.9, momentum = 0.8 } },
  { "rmsprop", { alpha = 0.7, momentum = 0.5, centered = true } },
  { "lion", { betas = { 0.9, 0.99 } } },
  { "lamb", { betas = { 0.9, 0.999 } } },
  { "muon", { betas = { 0.8, 0.5 }, adamw_lr_scale = 0.25 } },
}

local names = { "sgd", "lars", "adam", "adamw", "nadam", "adabound", "rmsprop", "lion", "lamb", "muon" }

-- What f warns of.
local function warnings(f)
  local list, original = {}, warn
  warn = function(text) list[#list + 1] = text end
  local restore <close> = setmetatable({}, { __close = function() warn = original end })
  f()
  return list
end

return { parameter = parameter, groups = groups, step = step, rules = rules, gradient = gradient, settings = settings,
         names = names, warnings = warnings }
