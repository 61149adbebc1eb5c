-- metrics.lua: figures about predictions.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local ops = core.ops
local numbers = require "icl.internal.numbers"

local metrics = {}

local function positions(classes)
  local list = {}
  for i = 1, classes do list[i] = i - 1 end
  return core.new_tensor(list, "i64")
end

-- 1 for each image whose label is among the k largest logits, else 0; f32 (n). Of equal logits the first counts as the
-- larger, as for argmax, so that k labels of a row are hits and no more; a label whose logit is NaN is none.
local function hits(logits, labels, k)
  local classes = logits:size(-1)
  local own = ops.where(ops.one_hot(labels, { classes = classes }), logits, -math.huge):max(-1, true)
  local earlier = ops.lt(positions(classes), labels:unsqueeze(-1))
  local ahead = ops.where(ops.eq(logits, own), earlier, ops.logical_not(ops.le(logits, own)))
  return ops.lt(ahead:cast "f32":sum(-1), k):cast "f32"
end

-- metrics.mean_of_views(logits) -> the logits; of a list of them, one for each view of the images, their mean.
function metrics.mean_of_views(logits)
  if type(logits) ~= "table" then return logits end
  return core.ops.add_n(table.unpack(logits)) / #logits
end

-- metrics.accuracy(logits, target [, k = 1]) -> one number from 0 to 1: the fraction of images whose label is among
-- the k largest logits; for a mixture of label vectors the weighted mean of their fractions. Of a list of logits, one
-- for each view of the images, the mean counts.
--
-- Of k classes with the largest logits there are never more than k: of equal logits the class with the lower number
-- comes first. A label whose logit is NaN is a miss, and so is one that k others with NaN stand before.
function metrics.accuracy(logits, target, k)
  logits = metrics.mean_of_views(logits)
  arguments.tensor("metrics.accuracy: logits", logits)
  k = math.min(k or 1, logits:size(-1))
  if type(target) == "userdata" then return hits(logits, target, k):mean() end
  local total
  for i, labels in ipairs(target.labels) do
    local part = hits(logits, labels, k):mean() * target.weights[i]
    total = total and total + part or part
  end
  return total
end

-- metrics.figures(logits, target [, more]) -> { top1 =, top5 =, and for each name of `more` what its function of logits
-- and target gives }: one number each, for run:log. Of a list of logits the mean counts.
function metrics.figures(logits, target, more)
  logits = metrics.mean_of_views(logits)
  local figures = { top1 = metrics.accuracy(logits, target), top5 = metrics.accuracy(logits, target, 5) }
  for name, f in pairs(more or {}) do
    local value = f(logits, target)
    local is_one = type(value) == "number" or type(value) == "userdata" and value:count() == 1
    if not is_one then
      fail("metric %s gives %s; it must be a tensor of one element, or a number", name,
        type(value) == "userdata" and ("a tensor (%s)"):format(table.concat(value:shape(), ", "))
          or arguments.described(value))
    end
    figures[name] = value
  end
  return figures
end

return metrics
