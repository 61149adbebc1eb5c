-- nn/group_norm.lua: group norm (Wu and He 2018); x (n, h, w, channels) -> the same shape. Each image is normalised
-- with the mean and biased variance of each group of neighbouring channels, in training as in evaluation.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local check_input = require "icl.nn.input"
local GroupNorm = require "icl.nn.module".class "group_norm"

-- nn.group_norm(groups, channels [, { eps = 1e-5, affine = true }]): affine: a weight and a bias for each channel.
function GroupNorm:init(groups, channels, options, ...)
  arguments.no_more("nn.group_norm", "groups, channels and a table of options", ...)
  options = arguments.options("nn.group_norm", options, { eps = 1e-5, affine = true })
  self.groups, channels = arguments.size("nn.group_norm: groups", groups),
    arguments.size("nn.group_norm: channels", channels)
  if channels % groups ~= 0 then fail("nn.group_norm: %d groups do not divide %d channels", groups, channels) end
  self:prepare(channels, options, ("%d of %d"):format(groups, channels))
end

-- What group norms and instance norms have.
function GroupNorm:prepare(channels, options, text)
  local what = "nn." .. self.class_name
  self.channels, self.text = channels, text
  self.eps = arguments.number(what .. ": eps", options.eps, 0)
  if not arguments.boolean(what .. ": affine", options.affine) then return end
  self:parameter("weight", core.full({ channels }, 1))
  self:parameter("bias", core.full({ channels }, 0))
end

-- x (n, positions, channels) -> (n, 1, channels): the mean over all positions and the channels of a group.
local function group_means(x, groups)
  local n, channels = x:size(1), x:size(3)
  local means = x:mean(2):reshape(n, groups, channels // groups):mean(3, true)
  return means:expand(n, groups, channels // groups):reshape(n, 1, channels)
end

function GroupNorm:forward(x)
  check_input(self, x, ("(n, ..., %d)"):format(self.channels), nil, self.channels)
  local shape = x:shape()
  local positions = 1
  for axis = 2, #shape - 1 do positions = positions * shape[axis] end
  if positions * self.channels == self.groups then
    fail("%s: its input is (%s), of which each group has one number, and that is always 0 when it is normalised",
      self.class_name, table.concat(shape, ", "))
  end
  local flat = x:reshape(shape[1], positions, self.channels)
  local deviation = flat - group_means(flat, self.groups)
  local scale = 1 / (group_means(deviation * deviation, self.groups) + self.eps):sqrt()
  local y = self.weight and deviation * (scale * self.weight) + self.bias or deviation * scale
  return y:reshape(shape):cast(x:dtype())
end

return GroupNorm
