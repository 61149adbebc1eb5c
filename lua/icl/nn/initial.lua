-- nn/initial.lua: first values of parameters. Normal numbers of variance 2 / fan (He et al. 2015); the draws are
-- keyed by the seed and by how many were made before, so the same program gets the same bytes.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local random = require "icl.random"

local initial = { modes = { "kaiming_fan_out", "kaiming_fan_in" } }

-- initial.normal(shape, std) -> f32
function initial.normal(shape, std)
  arguments.number("nn.initial.normal: std", std, 0)
  return random.normal(shape) * std
end

-- initial.uniform(shape, bound) -> f32 in [-bound, bound)
function initial.uniform(shape, bound)
  arguments.number("nn.initial.uniform: bound", bound, 0)
  return (random.uniform(shape) * 2 - 1) * bound
end

-- initial.kaiming(shape, fan_in, fan_out, mode) -> f32 of standard deviation sqrt(2 / fan).
function initial.kaiming(shape, fan_in, fan_out, mode)
  arguments.choice("init mode", mode, initial.modes)
  return initial.normal(shape, math.sqrt(2 / (mode == "kaiming_fan_in" and fan_in or fan_out)))
end

-- A trainable state that begins with `value`.
function initial.parameter(value)
  return core.state(value, { trainable = true })
end

return initial
