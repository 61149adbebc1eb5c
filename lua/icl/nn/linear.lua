-- nn/linear.lua: x (n, input) -> x w + b (n, output).
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local initial = require "icl.nn.initial"
local Linear = require "icl.nn.module".class "linear"

Linear.pytorch_axes = { weight = { 2, 1 } }  -- (in, out) -> (out, in)

-- nn.linear(input, output [, { bias = true, init = "kaiming_fan_out" | "kaiming_fan_in" }]); the bias begins with 0.
function Linear:init(input, output, options)
  options = arguments.options("nn.linear", options, { bias = true, init = "kaiming_fan_out" })
  arguments.integer("nn.linear: inputs", input, 1)
  arguments.integer("nn.linear: outputs", output, 1)
  self.text = ("%d -> %d"):format(input, output)
  self.weight = initial.parameter(initial.kaiming({ input, output }, input, output, options.init))
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
