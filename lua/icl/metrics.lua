-- metrics.lua: figures about predictions.
local core = require "icl.core"
local ops = core.ops

local metrics = {}

-- 1 for each image whose label is among the k largest logits, else 0; f32 (n).
local function hits(logits, labels, k)
  if k == 1 then return ops.eq(logits:argmax(-1), labels):cast "f32" end
  local own = (logits * ops.one_hot(labels, { classes = logits:size(-1) })):sum(-1, true)
  return ops.lt(ops.gt(logits, own):cast "f32":sum(-1), k):cast "f32"
end

-- metrics.accuracy(logits, target [, k = 1]) -> one number from 0 to 1: the fraction of images whose label is among
-- the k largest logits; for a mixture of label vectors the weighted mean of their fractions. Of a list of logits, one
-- for each view of the images, the mean counts.
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
