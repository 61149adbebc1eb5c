-- nn/conv_transpose2d.lua: transposed convolution, which puts a kernel for each pixel into a larger image; x (n, h, w,
-- input) -> (n, h', w', output), h' = (h - 1) stride - 2 padding + kernel + output_padding.
local fail = require "icl.internal.fail"
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local dtypes = require "icl.internal.dtypes"
local initial = require "icl.nn.initial"
local check_input = require "icl.nn.input"
local ConvTranspose2d = require "icl.nn.module".class "conv_transpose2d"

ConvTranspose2d.pytorch_axes = { weight = { 4, 3, 1, 2 } }  -- (kh, kw, out, in) -> (in, out, kh, kw)

-- nn.conv_transpose2d(input, output, kernel [, { stride = 1, padding = 0, output_padding = 0, groups = 1, bias = false,
-- init = "kaiming_fan_out" }]): kernel, stride and paddings are a number or { height, width }. It is the gradient of a
-- convolution with these attributes by its input. The padding is 0 unless given, as in PyTorch; nn.conv2d's is not.
function ConvTranspose2d:init(input, output, kernel, options, ...)
  local what = "nn.conv_transpose2d"
  arguments.no_more(what, "input and output channels, a kernel and a table of options", ...)
  options = arguments.options(what, options, { stride = 1, padding = 0, output_padding = 0, groups = 1, bias = false,
                                               init = "kaiming_fan_out" })
  input = arguments.size(what .. ": input channels", input)
  output = arguments.size(what .. ": output channels", output)
  local groups = arguments.size(what .. ": groups", options.groups)
  if input % groups ~= 0 or output % groups ~= 0 then
    fail("%s: %d groups do not divide %d input and %d output channels", what, groups, input, output)
  end
  local kh, kw = table.unpack(arguments.pair(what .. ": kernel", kernel, 1))
  self.kernel, self.groups = { kh, kw }, groups
  self.stride = arguments.pair(what .. ": stride", options.stride, 1)
  self.padding = arguments.pair(what .. ": padding", options.padding, 0)
  self.output_padding = arguments.pair(what .. ": output_padding", options.output_padding, 0)
  for i = 1, 2 do
    if self.output_padding[i] >= self.stride[i] then
      fail("%s: output_padding is %d; it must be less than the stride, %d", what, self.output_padding[i],
        self.stride[i])
    end
  end
  self.text = ("%d -> %d, %dx%d"):format(input, output, kh, kw)
  local fan_in = input // groups * kh * kw
  self:parameter("weight", initial.kaiming({ kh, kw, output // groups, input }, fan_in, output * kh * kw, options.init))
  if options.bias then self:parameter("bias", initial.uniform({ output }, 1 / math.sqrt(fan_in))) end
end

-- The size of the result along axis 1 or 2 of an image.
function ConvTranspose2d:size_of(size, i)
  local new = (size - 1) * self.stride[i] - 2 * self.padding[i] + self.kernel[i] + self.output_padding[i]
  if new < 1 then
    fail("conv_transpose2d: a padding of %d leaves nothing of %d pixels", self.padding[i], size)
  end
  return new
end

function ConvTranspose2d:forward(x)
  check_input(self, x, "(n, h, w, c)", 4)
  local y = core.ops.conv2d_input_grad(x, dtypes.wide(self.weight), {
    stride = self.stride, padding = self.padding, groups = self.groups,
    size = { self:size_of(x:size(2), 1), self:size_of(x:size(3), 2) },
  })
  if not self.bias then return y end
  return y + self.bias:cast(y:dtype())
end

-- Multiply-accumulates, from the shape of the result: all weights at each pixel of the input.
function ConvTranspose2d:macs(shape)
  local pixels = 1
  for i = 1, 2 do
    local rest = shape[i + 1] + 2 * self.padding[i] - self.kernel[i] - self.output_padding[i]
    pixels = pixels * (rest // self.stride[i] + 1)
  end
  return shape[1] * pixels * self.weight:count()
end

return ConvTranspose2d
