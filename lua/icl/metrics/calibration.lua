-- metrics/calibration.lua: the expected calibration error.
local arguments = require "icl.internal.arguments"
local accumulated = require "icl.metrics.accumulated"
local core = require "icl.core"
local loss = require "icl.loss"
local ops = core.ops

local Calibration = accumulated.class "metrics.calibration_error"

-- Sums by bin: images, their confidence, those that are right.
function Calibration:init(options)
  local low, high = {}, {}
  for i = 1, options.bins do low[i], high[i] = (i - 1) / options.bins, i / options.bins end
  high[options.bins] = 2  -- a probability may be rounded to more than 1
  self.low, self.high = core.new_tensor(low, "f32"), core.new_tensor(high, "f32")
  return { options.bins, 3 }
end

function Calibration:add(logits, target)
  local classes = logits:size(-1)
  local truth = loss.distribution(target, classes):cast "f32"
  local confidence = logits:cast("f32"):softmax():max(-1, true)
  local right = (truth * ops.one_hot(logits:argmax(), { classes = classes })):sum(-1, true)
  local inside = confidence:gt(self.low):cast "f32" * confidence:le(self.high):cast "f32"
  local columns = ops.concat(confidence:ge(0):cast "f32", confidence, right, { dim = 2 })
  return ops.matmul(inside, columns, { transpose_a = true })
end

function Calibration:read(sums)
  local images, gap = 0, 0
  for _, bin in ipairs(sums) do
    images, gap = images + bin[1], gap + math.abs(bin[3] - bin[2])
  end
  return images > 0 and gap / images or 0.0
end

local function new(given, ...)
  local what = "metrics.calibration_error"
  arguments.no_more(what, "a table of options", ...)
  local options = arguments.options(what, given, { bins = 15 })
  arguments.size(what .. ": bins", options.bins)
  return Calibration.new(options)
end

return { calibration_error = new }
