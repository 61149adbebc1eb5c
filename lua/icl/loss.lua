-- loss.lua: losses of a batch as one number. A target is either labels, an i64 tensor (n), or a mixture of several
-- label vectors: { labels = { a, b, ... }, weights = { 0.3, 0.7, ... } }, one weight for each vector.
local core = require "icl.core"
local ops = core.ops
local fail = require "icl.internal.fail"

local loss = {}

-- loss.distribution(target, classes [, smoothing]) -> f32 (n, classes): the distribution that a target stands for;
-- `smoothing` is the share of it that is spread over all classes (Szegedy et al. 2016).
function loss.distribution(target, classes, smoothing)
  local q
  if type(target) == "userdata" then
    q = ops.one_hot(target, { classes = classes })
  elseif type(target) == "table" and target.labels and target.weights then
    for k, labels in ipairs(target.labels) do
      local part = ops.one_hot(labels, { classes = classes }) * target.weights[k]
      q = q and q + part or part
    end
  else
    fail("loss: a target is a tensor of labels or a table with labels and weights, not a %s", type(target))
  end
  if smoothing and smoothing > 0 then q = q * (1 - smoothing) + smoothing / classes end
  return q
end

-- loss.cross_entropy(logits, target [, smoothing]) -> one number: the mean over the batch of - sum q log
-- softmax(logits).
function loss.cross_entropy(logits, target, smoothing)
  return ops.cross_entropy(logits, loss.distribution(target, logits:size(-1), smoothing)):mean()
end

-- loss.dual_cutout(views, target [, alpha = 0.1 [, smoothing]]) -> one number: for the logits of two views of the
-- images the mean of their cross-entropies, plus alpha times the mean of the squared difference of the logits.
function loss.dual_cutout(views, target, alpha, smoothing)
  if type(views) ~= "table" or #views ~= 2 then
    fail("loss.dual_cutout: it takes the logits of two views in a list, as the images of augment.dual_cutout are")
  end
  local difference = views[1] - views[2]
  local both = loss.cross_entropy(views[1], target, smoothing) + loss.cross_entropy(views[2], target, smoothing)
  return both * 0.5 + (difference * difference):mean() * (alpha or 0.1)
end

return loss
