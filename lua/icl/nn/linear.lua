-- nn/linear.lua: x (..., input) -> x w + b (..., output).
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local dtypes = require "icl.internal.dtypes"
local initial = require "icl.nn.initial"
local check_input = require "icl.nn.input"
local Linear = require "icl.nn.module".class "linear"

Linear.pytorch_axes = { weight = { 2, 1 } }  -- (in, out) -> (out, in)

-- nn.linear(input, output [, { bias = true, init = "kaiming_fan_out" }]); the bias begins with 0. init: also
-- "kaiming_fan_in" and "uniform_fan_in", uniform within 1 / sqrt(input). With a weight of 16 bits (model:to "f16") x
-- and the result have its dtype.
function Linear:init(input, output, options, ...)
  arguments.no_more("nn.linear", "inputs, outputs and a table of options", ...)
  options = arguments.options("nn.linear", options, { bias = true, init = "kaiming_fan_out" })
  input = arguments.size("nn.linear: inputs", input)
  output = arguments.size("nn.linear: outputs", output)
  self.text = ("%d -> %d"):format(input, output)
  local shape = { input, output }
  self:parameter("weight", options.init == "uniform_fan_in" and initial.uniform(shape, 1 / math.sqrt(input))
    or initial.kaiming(shape, input, output, options.init))
  if options.bias then self:parameter("bias", core.full({ output }, 0)) end
end

function Linear:forward(x)
  check_input(self, x)
  if not dtypes.is_narrow(self.weight) then return x:linear(self.weight, self.bias) end
  local dtype = self.weight:dtype()
  return x:cast(dtype):linear(self.weight, self.bias):cast(dtype)
end

-- Multiply-accumulates, from the shape of the result: all weights at each position.
function Linear:macs(shape)
  local positions = 1
  for axis = 1, #shape - 1 do positions = positions * shape[axis] end
  return positions * self.weight:count()
end

return Linear
