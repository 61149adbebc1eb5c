-- nn/conv2d.lua: convolution; x (n, h, w, input) -> (n, h', w', output).
local fail = require "icl.internal.fail"
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local border = require "icl.nn.border"
local dtypes = require "icl.internal.dtypes"
local initial = require "icl.nn.initial"
local check_input = require "icl.nn.input"
local Conv2d = require "icl.nn.module".class "conv2d"

Conv2d.pytorch_axes = { weight = { 4, 3, 1, 2 } }  -- (kh, kw, in, out) -> (out, in, kh, kw)

-- nn.conv2d(input, output, kernel [, options]): kernel, stride, dilation and padding are a number or { height, width }.
-- Options: stride = 1; dilation = 1; padding: half the kernel as it is dilated, rounded down, unless given;
-- padding_mode = "zeros", also "reflect", "replicate" and "circular"; groups = 1; bias = false; init =
-- "kaiming_fan_out" or "kaiming_fan_in". fan_out is output x kh x kw whatever the groups. A bias begins uniform in
-- +-1 / sqrt(fan_in). A dilated kernel is computed as a larger one with zeros between its weights: one of 3x3 with
-- dilation 2 takes 25 multiplications instead of 9.
function Conv2d:init(input, output, kernel, options, ...)
  arguments.no_more("nn.conv2d", "input and output channels, a kernel and a table of options", ...)
  options = arguments.options("nn.conv2d", options, { stride = 1, groups = 1, dilation = 1, bias = false,
                                                      padding_mode = "zeros", init = "kaiming_fan_out" }, { "padding" })
  input = arguments.size("nn.conv2d: input channels", input)
  output = arguments.size("nn.conv2d: output channels", output)
  local kh, kw = table.unpack(arguments.pair("nn.conv2d: kernel", kernel, 1))
  local stride = arguments.pair("nn.conv2d: stride", options.stride, 1)
  local dilation = arguments.pair("nn.conv2d: dilation", options.dilation, 1)
  local spread = { (kh - 1) * dilation[1] + 1, (kw - 1) * dilation[2] + 1 }
  local padding = arguments.pair("nn.conv2d: padding", options.padding or { spread[1] // 2, spread[2] // 2 }, 0)
  local mode = arguments.choice("nn.conv2d: padding_mode", options.padding_mode, border.modes)
  local groups = arguments.size("nn.conv2d: groups", options.groups)
  if input % groups ~= 0 or output % groups ~= 0 then
    fail("nn.conv2d: %d groups do not divide %d input and %d output channels", groups, input, output)
  end
  local fan_in = input // groups * kh * kw
  if spread[1] > kh or spread[2] > kw then self.dilation, self.spread = dilation, spread end
  if mode ~= "zeros" then self.border, self.padding_mode, padding = padding, mode, { 0, 0 } end
  self.attributes = { stride = stride, padding = padding, groups = groups }
  self.input_channels, self.text = input, ("%d -> %d, %dx%d"):format(input, output, kh, kw)
  local shape = { kh, kw, input // groups, output }
  self:parameter("weight", initial.kaiming(shape, fan_in, output * kh * kw, options.init))
  if options.bias then self:parameter("bias", initial.uniform({ output }, 1 / math.sqrt(fan_in))) end
end

-- The weight with zeros between its rows and columns.
local function dilated(weight, dilation, spread)
  local kh, kw, input, output = table.unpack(weight:shape())
  local wide = weight:reshape(kh, 1, kw, 1, input * output)
  wide = wide:pad { low = { 0, 0, 0, 0, 0 }, high = { 0, dilation[1] - 1, 0, dilation[2] - 1, 0 } }
  wide = wide:reshape(kh * dilation[1], kw * dilation[2], input, output)
  return wide:narrow(1, 1, spread[1]):narrow(2, 1, spread[2])
end

-- An error for images whose channels come first.
local function check_order(self, x)
  local channels = self.input_channels
  if x:rank() == 4 and x:size(4) ~= channels and x:size(2) == channels then
    check_input(self, x, "(n, h, w, c), and x:permute(1, 3, 4, 2) makes that of (n, c, h, w)", 4, channels)
  end
end

function Conv2d:forward(x)
  check_input(self, x)
  check_order(self, x)
  local weight = dtypes.wide(self.weight)
  if self.dilation then weight = dilated(weight, self.dilation, self.spread) end
  if self.border then x = border.add("conv2d", x, self.border, self.padding_mode) end
  local y = core.ops.conv2d(x, weight, self.attributes)
  if not self.bias then return y end
  return y + self.bias:cast(y:dtype())
end

-- Multiply-accumulates, from the shape of the result: all weights at each of its pixels.
function Conv2d:macs(shape)
  return shape[1] * shape[2] * shape[3] * self.weight:count()
end

return Conv2d
