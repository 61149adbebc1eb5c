-- nn/squeeze_excite.lua: squeeze-excitation (Hu et al. 2018): each channel is scaled by a number between 0 and 1 that
-- two small layers make of the means of all channels; x (n, h, w, channels) -> the same shape.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local linear = require "icl.nn.linear"
local check_input = require "icl.nn.input"
local SqueezeExcite = require "icl.nn.module".class "squeeze_excite"

-- nn.squeeze_excite(channels [, { reduction = 16, init = "kaiming_fan_out" }]): the inner layer has channels //
-- reduction numbers.
function SqueezeExcite:init(channels, options, ...)
  arguments.no_more("nn.squeeze_excite", "channels and a table of options", ...)
  options = arguments.options("nn.squeeze_excite", options, { reduction = 16, init = "kaiming_fan_out" })
  channels = arguments.size("nn.squeeze_excite: channels", channels)
  options.reduction = arguments.size("nn.squeeze_excite: reduction", options.reduction)
  local inner = channels // options.reduction
  if inner == 0 then
    fail("nn.squeeze_excite: a reduction of %d leaves nothing of %d channels; it may be at most %d", options.reduction,
      channels, channels)
  end
  self.text = ("%d -> %d -> %d"):format(channels, inner, channels)
  self.fc1 = linear(channels, inner, { init = options.init })
  self.fc2 = linear(inner, channels, { init = options.init })
end

function SqueezeExcite:forward(x)
  check_input(self, x)
  local scale = self.fc2(self.fc1(x:global_avg_pool()):relu()):sigmoid()
  return (x * scale:reshape(x:size(1), 1, 1, x:size(4))):cast(x:dtype())
end

return SqueezeExcite
