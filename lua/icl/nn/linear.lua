-- nn/linear.lua: x (n, input) -> x w + b (n, output).
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local initial = require "icl.nn.initial"
local Linear = require "icl.nn.module".class "linear"

Linear.pytorch_axes = { weight = { 2, 1 } }  -- (in, out) -> (out, in)

-- nn.linear(input, output [, { bias = true, init = "kaiming_fan_out" }]); the bias begins with 0. init: also
-- "kaiming_fan_in" and "uniform_fan_in", uniform within 1 / sqrt(input).
function Linear:init(input, output, options)
  options = arguments.options("nn.linear", options, { bias = true, init = "kaiming_fan_out" })
  arguments.integer("nn.linear: inputs", input, 1)
  arguments.integer("nn.linear: outputs", output, 1)
  self.text = ("%d -> %d"):format(input, output)
  local shape = { input, output }
  self.weight = initial.parameter(options.init == "uniform_fan_in" and initial.uniform(shape, 1 / math.sqrt(input))
    or initial.kaiming(shape, input, output, options.init))
  if options.bias then self.bias = initial.parameter(core.full({ output }, 0)) end
end

function Linear:forward(x)
  return x:linear(self.weight, self.bias)
end

-- Multiply-accumulates for one image.
function Linear:macs()
  return self.weight:count()
end

return Linear
