-- loss.lua: losses of a batch as one number. A target is either labels, an i64 tensor (n), or a mixture of several
-- label vectors: { labels = { a, b, ... }, weights = { 0.3, 0.7, ... } }, one weight for each vector.
--
-- Labels are from 0 to classes - 1. Others are an error where they are known when the loss is recorded; in a step,
-- where they often are not, only with check_nan.
local core = require "icl.core"
local ops = core.ops
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local known = require "icl.internal.labels"

local loss = {}

-- A label vector as f32 (n, classes).
local function one_hot(labels, classes)
  local own = known.classes[labels]
  if own and own > classes then
    fail("loss: the logits are of %d classes, but the labels of %d; the last layer needs %d outputs", classes, own, own)
  end
  return ops.one_hot(labels, { classes = classes })
end

local function check_mixture(target)
  arguments.typed("loss: labels of a mixture", target.labels, "table", "a list of tensors")
  arguments.typed("loss: weights of a mixture", target.weights, "table", "a list of numbers")
  local labels, weights = #target.labels, #target.weights
  if labels == 0 or labels ~= weights then
    fail("loss: a mixture has one weight for each vector of labels, but this one has %d labels and %d weights", labels,
      weights)
  end
end

-- loss.distribution(target, classes [, smoothing]) -> f32 (n, classes): the distribution that a target stands for;
-- `smoothing` is the share of it that is spread over all classes (Szegedy et al. 2016).
function loss.distribution(target, classes, smoothing)
  local q
  smoothing = arguments.number("loss: smoothing", smoothing or 0, 0)
  if type(target) == "userdata" then
    q = one_hot(target, classes)
  elseif type(target) == "table" and target.labels and target.weights then
    check_mixture(target)
    for k, labels in ipairs(target.labels) do
      local part = one_hot(labels, classes) * target.weights[k]
      q = q and q + part or part
    end
  else
    fail("loss: a target is a tensor of labels or a table with labels and weights, not %s",
      arguments.described(target))
  end
  if smoothing > 0 then q = q * (1 - smoothing) + smoothing / classes end
  return q
end

-- loss.cross_entropy(logits, target [, smoothing]) -> one number: the mean over the batch of - sum q log
-- softmax(logits).
function loss.cross_entropy(logits, target, smoothing, ...)
  arguments.no_more("loss.cross_entropy", "logits, a target and a smoothing", ...)
  arguments.tensor("loss.cross_entropy: logits", logits)
  return ops.cross_entropy(logits, loss.distribution(target, logits:size(-1), smoothing)):mean()
end

-- loss.dual_cutout(views, target [, alpha = 0.1 [, smoothing]]) -> one number: for the logits of two views of the
-- images the mean of their cross-entropies, plus alpha times the mean of the squared difference of the logits.
function loss.dual_cutout(views, target, alpha, smoothing, ...)
  arguments.no_more("loss.dual_cutout", "two logits, a target, alpha and a smoothing", ...)
  if type(views) ~= "table" or #views ~= 2 then
    fail("loss.dual_cutout: it takes the logits of two views in a list, as the images of augment.dual_cutout are")
  end
  local difference = views[1] - views[2]
  local both = loss.cross_entropy(views[1], target, smoothing) + loss.cross_entropy(views[2], target, smoothing)
  return both * 0.5 + (difference * difference):mean() * (alpha or 0.1)
end

return loss
