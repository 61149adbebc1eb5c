-- nn/instance_norm.lua: instance norm (Ulyanov et al. 2016): group norm with a group for each channel, without weight
-- and bias unless they are asked for; x (n, h, w, channels) -> the same shape.
local arguments = require "icl.internal.arguments"
local InstanceNorm = require "icl.nn.module".class("instance_norm", require "icl.nn.group_norm")

-- nn.instance_norm(channels [, { eps = 1e-5, affine = false }])
function InstanceNorm:init(channels, options, ...)
  arguments.no_more("nn.instance_norm", "channels and a table of options", ...)
  options = arguments.options("nn.instance_norm", options, { eps = 1e-5, affine = false })
  self.groups = arguments.size("nn.instance_norm: channels", channels)
  self:prepare(channels, options, ("%d"):format(channels))
end

return InstanceNorm
