-- nn/conv2d.lua: convolution; x (n, h, w, input) -> (n, h', w', output).
local fail = require "icl.internal.fail"
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local initial = require "icl.nn.initial"
local Conv2d = require "icl.nn.module".class "conv2d"

Conv2d.pytorch_axes = { weight = { 4, 3, 1, 2 } }  -- (kh, kw, in, out) -> (out, in, kh, kw)

local function pair(value)
  if type(value) == "table" then return value[1], value[2] end
  return value, value
end

-- nn.conv2d(input, output, kernel [, options]): kernel, stride and padding are a number or { height, width }.
-- Options: stride = 1; padding: half the kernel, rounded down, unless given; groups = 1; bias = false;
-- init = "kaiming_fan_out" or "kaiming_fan_in". fan_out is output x kh x kw whatever the groups. A bias begins
-- uniform in +-1 / sqrt(fan_in).
function Conv2d:init(input, output, kernel, options)
  options = arguments.options("nn.conv2d", options, { stride = 1, groups = 1, bias = false, init = "kaiming_fan_out" },
    { "padding" })
  arguments.integer("nn.conv2d: input channels", input, 1)
  arguments.integer("nn.conv2d: output channels", output, 1)
  local kh, kw = pair(kernel)
  local groups = options.groups
  if input % groups ~= 0 or output % groups ~= 0 then
    fail("nn.conv2d: %d groups do not divide %d input and %d output channels", groups, input, output)
  end
  local fan_in = input // groups * kh * kw
  self.attributes = { stride = options.stride, padding = options.padding or { kh // 2, kw // 2 }, groups = groups }
  self.text = ("%d -> %d, %dx%d"):format(input, output, kh, kw)
  local shape = { kh, kw, input // groups, output }
  self.weight = initial.parameter(initial.kaiming(shape, fan_in, output * kh * kw, options.init))
  if options.bias then self.bias = initial.parameter(initial.uniform({ output }, 1 / math.sqrt(fan_in))) end
end

function Conv2d:forward(x)
  local y = core.ops.conv2d(x, self.weight, self.attributes)
  if not self.bias then return y end
  return y + self.bias:cast(y:dtype())
end

-- Multiply-accumulates for one image, from the shape of the result.
function Conv2d:macs(shape)
  return shape[2] * shape[3] * self.weight:count()
end

return Conv2d
