-- nn/batch_norm.lua: batch norm over all axes but the last (Ioffe and Szegedy 2015); x (..., channels) -> the same
-- shape.
--
-- In training a channel is normalised with its mean and biased variance over the batch, and the running statistics move
-- towards mean and unbiased variance; in evaluation they are used instead.
--
-- Where several processes train, statistics are those of the images of this one; with sync = true of all of them, as if
-- one process had the whole batch; with average = true only the running statistics are, a mean of those of all.
local fail = require "icl.internal.fail"
local core = require "icl.core"
local ops = core.ops
local arguments = require "icl.internal.arguments"
local dtypes = require "icl.internal.dtypes"
local part = require "icl.internal.part"
local processes = require "icl.internal.processes"
local check_input = require "icl.nn.input"
local wide = dtypes.wide
local BatchNorm = require "icl.nn.module".class "batch_norm"

BatchNorm.absent_in_files = { num_batches_tracked = 0 }  -- PyTorch counts since 0.4.1

local MEAN, VARIANCE = 2, 4  -- rows of bn_coefficients

-- nn.batch_norm(channels [, { eps = 1e-5, momentum = 0.1, sync = false, average = false }])
-- Exact for channels of any mean and spread, but for the gradient of x where f32 does not hold gradient / spread^2 (a
-- spread of 1e19 with gradients near 1): there the statistics add nothing to it.
function BatchNorm:init(channels, options, ...)
  arguments.no_more("nn.batch_norm", "channels and a table of options", ...)
  options = arguments.options("nn.batch_norm", options, { eps = 1e-5, momentum = 0.1, sync = false, average = false })
  for _, name in ipairs { "eps", "momentum" } do arguments.number("nn.batch_norm: " .. name, options[name], 0) end
  channels = arguments.size("nn.batch_norm: channels", channels)
  self.eps, self.momentum, self.text = options.eps, options.momentum, ("%d"):format(channels)
  self.channels, self.form = channels, ("(..., %d)"):format(channels)
  for _, name in ipairs { "sync", "average" } do
    self[name] = arguments.boolean("nn.batch_norm: " .. name, options[name])
  end
  self:parameter("weight", core.full({ channels }, 1))
  self:parameter("bias", core.full({ channels }, 0))
  self:buffer("running_mean", core.full({ channels }, 0))
  self:buffer("running_var", core.full({ channels }, 1))
  self:buffer("num_batches_tracked", core.full({}, 0, "i64"))
end

-- The sums of the batch, or of what all processes have of it, and how many values of a channel are in them.
local function sums_of(self, x)
  local sums, count = ops.bn_sums(x), x:count() // self.weight:count()
  if not (self.sync and part.is_shared()) then return sums, count end
  local now = part.current()
  return processes.reduce(sums, { join = true }), count // now.count * now.together
end

-- Running statistics of this process, or the mean of those of all.
local function averaged(self, statistics)
  if not self.average or self.sync or not part.is_shared() then return statistics end
  return processes.reduce(statistics / processes.size())
end

-- Coefficients from this batch; the running statistics are written.
local function batch_coefficients(self, x)
  local sums, count = sums_of(self, x)
  if count < 2 then
    fail("batch norm needs more than one value per channel in training; x is (%s)", table.concat(x:shape(), ", "))
  end
  local mean, variance = wide(self.running_mean:read()), wide(self.running_var:read())
  local coefficients = ops.bn_coefficients(sums, wide(self.weight), wide(self.bias), { eps = self.eps })
  self.running_mean:write(averaged(self, ops.bn_running(coefficients, mean, { row = MEAN, momentum = self.momentum })))
  self.running_var:write(averaged(self, ops.bn_running(coefficients, variance, {
    row = VARIANCE, momentum = self.momentum, factor = count / (count - 1),
  })))
  self.num_batches_tracked:write(self.num_batches_tracked + 1)
  return coefficients
end

function BatchNorm:forward(x)
  check_input(self, x, self.form, nil, self.channels)
  local coefficients
  if self.training then
    coefficients = batch_coefficients(self, x)
  else
    coefficients = ops.bn_inference(wide(self.weight), wide(self.bias), wide(self.running_mean),
      wide(self.running_var), { eps = self.eps })
  end
  return ops.scale_shift(x, coefficients)
end

return BatchNorm
