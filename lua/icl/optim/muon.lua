-- optim/muon.lua: Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon): momentum whose matrices are
-- made orthogonal, so that every direction moves as much. For a weight of two axes or more, a matrix in which each
-- column makes one output,
--   m = momentum m + (1 - momentum) gradient;  u = with nesterov (1 - momentum) gradient + momentum m, else m
--   p = p - lr weight_decay p - lr scale orthogonal(u)
-- orthogonal(u) is U V of the singular values decomposition U S V of u, nearly: ns_steps iterations of Newton and
-- Schulz with the published coefficients leave singular values from 0.7 to 1.2. For a matrix of r rows and c columns
-- scale is, as in PyTorch (adjust_lr_fn), with adjust_lr
--   "match_rms_adamw"   0.2 sqrt(max(r, c)): steps as large as AdamW's, so that one rate suits both (Liu et al. 2025)
--   "original"          sqrt(max(1, c / r)): rates are about 0.02
-- All other parameters (biases, batch norm) are updated by AdamW with `betas` and `eps`, at lr adamw_lr_scale, and so
-- are those of groups with adamw = true, which is meant for the last layer:
--
--   icl.optim.muon({ { parameters = body:named_parameters() },
--                    { parameters = head:named_parameters(), adamw = true } }, { weight_decay = 0.05 })
--
-- icl.optim.muon(module or groups [, options]) -> an optimizer. What all of them share: help(icl.optim.define).
local ops = require "icl.core".ops
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local leaves = require "icl.optim.leaves"
local moments = require "icl.optim.moments"

local defaults = {
  momentum = 0.95, nesterov = true, ns_steps = 5, adjust_lr = "match_rms_adamw",
  adamw = false, adamw_lr_scale = 1, betas = { 0.9, 0.999 }, eps = 1e-8,
}

-- By adjust_lr, the scale of a matrix.
local scales = {}

function scales.match_rms_adamw(rows, columns)
  return 0.2 * math.sqrt(math.max(rows, columns))
end

function scales.original(rows, columns)
  return math.sqrt(math.max(1, columns / rows))
end

local names = arguments.names(scales)

local function check(what, o)
  moments.check(what, o)
  arguments.choice(what .. ": adjust_lr", o.adjust_lr, names)
  arguments.integer(what .. ": ns_steps", o.ns_steps, 1, 100)
  if o.momentum >= 1 then fail("%s: momentum is %s; it must be less than 1", what, o.momentum) end
end

local function is_matrix(p, o)
  return p:rank() >= 2 and not o.adamw
end

local function states(o, p)
  return is_matrix(p, o) and { "momentum_buffer" } or { "exp_avg", "exp_avg_sq" }
end

-- Newton and Schulz on a matrix: x = a x + b x x' x + c x x' x x' x, the smaller of the two products with x' inside.
local A, B, C = 3.4445, -4.7750, 2.0315

local function orthogonal(x, steps)
  local tall = x:size(1) > x:size(2)
  x = x / (x:norm() + 1e-7)
  for _ = 1, steps do
    local square = ops.matmul(x, x, tall and { transpose_a = true } or { transpose_b = true })
    local series = B * square + C * ops.matmul(square, square)
    x = A * x + (tall and ops.matmul(x, series) or ops.matmul(series, x))
  end
  return x
end

-- The options as AdamW has them, at its rate.
local function prepare(s)
  s.adamw_lr = s.lr * s.adamw_lr_scale
  local first, second = moments.corrections(s)
  s.rate, s.root = (s.adamw_lr / first):cast "f32", second:sqrt():cast "f32"
  s.own = leaves { momentum = s.momentum, rest = 1 - s.momentum, decay = s.lr * s.weight_decay,
                   adamw_decay = s.adamw_lr * s.weight_decay }
end

local function update(p, g, own, s)
  if not is_matrix(p, s) then return p - s.own.adamw_decay * p - moments.adam(g, own, s) end
  local momentum, rest = s.own.momentum, s.own.rest
  local m = momentum * own.momentum_buffer + rest * g
  own.momentum_buffer:write(m)
  local shape = p:shape()
  local u = (s.nesterov and rest * g + momentum * m or m):reshape(-1, shape[#shape])
  local scale = scales[s.adjust_lr](u:size(1), u:size(2))
  return p - s.own.decay * p - s.lr * scale * orthogonal(u, s.ns_steps):reshape(shape)
end

return require "icl.optim.define"("muon", {
  defaults = defaults, counts = true, states = states, check = check, prepare = prepare, update = update,
})
