-- nn/prelu.lua: x where it is positive, else a learned slope times x (He et al. 2015); x (..., channels) -> the same
-- shape.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local check_input = require "icl.nn.input"
local Prelu = require "icl.nn.module".class "prelu"

-- nn.prelu([channels [, { slope = 0.25 }]]): a slope for each channel, one for all of them unless given; slope: what
-- they begin with.
function Prelu:init(channels, options, ...)
  arguments.no_more("nn.prelu", "channels and a table of options", ...)
  options = arguments.options("nn.prelu", options, { slope = 0.25 })
  channels = arguments.size("nn.prelu: channels", channels or 1)
  self.text = ("%d"):format(channels)
  self:parameter("weight", core.full({ channels }, arguments.finite("nn.prelu: slope", options.slope)))
end

function Prelu:forward(x)
  local channels = self.weight:count()
  check_input(self, x, ("(..., %d)"):format(channels), nil, channels > 1 and channels or nil)
  return core.ops.leaky_relu(x, self.weight):cast(x:dtype())
end

return Prelu
