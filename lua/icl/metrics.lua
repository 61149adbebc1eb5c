-- metrics.lua: figures about predictions.
local core = require "icl.core"
local ops = core.ops
local numbers = require "icl.internal.numbers"

local metrics = {}

-- The classes by number, i64 (1, classes); one tensor for each count.
local numbered = {}

local function class_numbers(classes)
  numbered[classes] = numbered[classes] or core.new_tensor(numbers.sequence(classes), "i64", { 1, classes })
  return numbered[classes]
end

-- 1 for each image whose label is among the first k classes, else 0; f32 (n). The classes of an image stand in the
-- order of their logits, largest first; equal ones in the order of their numbers. A label whose logit is NaN is behind
-- all.
local function hits(logits, labels, k)
  local classes = logits:size(-1)
  local own = ops.where(ops.eq(ops.one_hot(labels, { classes = classes }), 1), logits, 0):sum(-1, true)
  local later = ops.ge(class_numbers(classes), labels:unsqueeze(2))
  local not_ahead = ops.lt(logits, own):cast "f32" + (ops.eq(logits, own) * later):cast "f32"
  return ops.gt(not_ahead:sum(-1), classes - k):cast "f32"
end

-- metrics.accuracy(logits, target [, k = 1]) -> one number from 0 to 1: the fraction of images whose label is among
-- the k largest logits; for a mixture of label vectors the weighted mean of their fractions. Of a list of logits, one
-- for each view of the images, the mean counts.
--
-- Of k classes with the largest logits there are never more than k: of equal logits the class with the lower number
-- comes first. A label whose logit is NaN is a miss, and so is one that k others with NaN stand before.
function metrics.accuracy(logits, target, k)
  if type(logits) == "table" then logits = core.ops.add_n(table.unpack(logits)) / #logits end
  k = math.min(k or 1, logits:size(-1))
  if type(target) == "userdata" then return hits(logits, target, k):mean() end
  local total
  for i, labels in ipairs(target.labels) do
    local part = hits(logits, labels, k):mean() * target.weights[i]
    total = total and total + part or part
  end
  return total
end

return metrics
