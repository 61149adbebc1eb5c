-- nn/layer_norm.lua: layer norm over the last axis (Ba et al. 2016); x (..., channels) -> the same shape. Each position
-- is normalised with its own mean and biased variance, in training as in evaluation.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local check_input = require "icl.nn.input"
local LayerNorm = require "icl.nn.module".class "layer_norm"

-- nn.layer_norm(channels [, { eps = 1e-5, affine = true }]): affine: a weight and a bias for each channel.
function LayerNorm:init(channels, options, ...)
  arguments.no_more("nn.layer_norm", "channels and a table of options", ...)
  options = arguments.options("nn.layer_norm", options, { eps = 1e-5, affine = true })
  channels = arguments.size("nn.layer_norm: channels", channels)
  self.channels = channels
  self.eps, self.text = arguments.number("nn.layer_norm: eps", options.eps, 0), ("%d"):format(channels)
  if not arguments.boolean("nn.layer_norm: affine", options.affine) then return end
  self:parameter("weight", core.full({ channels }, 1))
  self:parameter("bias", core.full({ channels }, 0))
end

function LayerNorm:forward(x)
  check_input(self, x, ("(..., %d)"):format(self.channels), nil, self.channels)
  local deviation = x - x:mean(-1, true)
  local y = deviation * (1 / ((deviation * deviation):mean(-1, true) + self.eps):sqrt())
  if self.weight then y = y * self.weight + self.bias end
  return y:cast(x:dtype())
end

return LayerNorm
