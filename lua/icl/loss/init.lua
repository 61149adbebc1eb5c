-- loss: losses of a batch as one number. A target of the losses of classes is one of
--
--   labels                                                     i64 (n), from 0 to classes - 1
--   { labels = { a, b, ... }, weights = { 0.3, 0.7, ... } }    a mixture: several label vectors, a weight for each
--   a distribution                                             floats (n, classes)
--
-- Labels that are not among the classes are an error where they are known when the loss is recorded; in a step, where
-- they often are not, only with check_nan. The others take a target of the shape of their input.
local core = require "icl.core"
local ops = core.ops
local arguments = require "icl.internal.arguments"
local dtypes = require "icl.internal.dtypes"
local elements = require "icl.loss.elements"
local fail = require "icl.internal.fail"
local known = require "icl.internal.labels"
local reduce = require "icl.loss.reduce"

local loss = {}

-- ---- of logits and classes ----

-- A label vector as f32 (n, classes).
local function one_hot(labels, classes)
  local own = known.classes[labels]
  if own and own > classes then
    fail("loss: the logits are of %d classes, but the labels of %d; the last layer needs %d outputs", classes, own, own)
  end
  return ops.one_hot(labels, { classes = classes })
end

-- loss.check_target(target) fails unless it is a tensor or a mixture.
function loss.check_target(target)
  if type(target) == "userdata" then return end
  if type(target) ~= "table" or not (target.labels and target.weights) then
    fail("loss: a target is a tensor of labels or a table with labels and weights, not %s",
      arguments.described(target))
  end
  arguments.typed("loss: labels of a mixture", target.labels, "table", "a list of tensors")
  arguments.typed("loss: weights of a mixture", target.weights, "table", "a list of numbers")
  local labels, weights = #target.labels, #target.weights
  if labels == 0 or labels ~= weights then
    fail("loss: a mixture has one weight for each vector of labels, but this one has %d labels and %d weights", labels,
      weights)
  end
end

-- loss.is_distribution(target) -> is it a tensor of probabilities, rather than labels?
function loss.is_distribution(target)
  return type(target) == "userdata" and dtypes.floats[target:dtype()] ~= nil
end

-- A tensor of probabilities, which are of as many classes as the logits.
local function check_distribution(target, classes)
  if target:rank() ~= 2 or target:size(2) ~= classes then
    fail("loss: the target is %s %s; a distribution is (n, %d), labels are i64 (n)", target:dtype(),
      elements.shape_text(target), classes)
  end
  return target
end

-- A mixture as floats (n, classes).
local function mixed(target, classes)
  local first, q = nil, nil
  for k, labels in ipairs(target.labels) do
    local shape = elements.shape_text(arguments.tensor(("loss: labels %d of a mixture"):format(k), labels))
    first = first or shape
    if shape ~= first then
      fail("loss: labels %d of a mixture are %s, the first ones %s; all are of the same images", k, shape, first)
    end
    local part = one_hot(labels, classes) * target.weights[k]
    q = q and q + part or part
  end
  return q
end

-- loss.distribution(target, classes [, smoothing]) -> floats (n, classes): the distribution that a target stands for;
-- `smoothing` is the share of it that is spread over all classes (Szegedy et al. 2016).
function loss.distribution(target, classes, smoothing)
  local q
  smoothing = arguments.number("loss: smoothing", smoothing or 0, 0, 1)
  loss.check_target(target)
  if loss.is_distribution(target) then
    q = check_distribution(target, classes)
  elseif type(target) == "userdata" then
    q = one_hot(target, classes)
  else
    q = mixed(target, classes)
  end
  if smoothing > 0 then q = q * (1 - smoothing) + smoothing / classes end
  return q
end

-- Weights of the classes, a tensor of them or a list of numbers, as a tensor; nil where there are none.
local function class_weights(what, weight, classes)
  if weight == nil then return nil end
  if type(weight) == "table" then
    for i, one in ipairs(weight) do arguments.number(("%s %d"):format(what, i), one, 0) end
    weight = core.new_tensor(weight, "f32")
  end
  arguments.tensor(what, weight)
  if weight:rank() ~= 1 or weight:count() ~= classes then
    fail("%s is %s, but there are %d classes; it must have one number for each", what, elements.shape_text(weight),
      classes)
  end
  return weight
end

-- Labels among which those that are `index` are 0, and a column that is 0 at those and else 1.
local function without(what, target, index)
  arguments.integer(what .. ": ignore_index", index, math.mininteger)
  if type(target) ~= "userdata" or loss.is_distribution(target) then
    fail("%s: ignore_index is for labels, and this target is none", what)
  end
  local counted = target:ne(index)
  return ops.where(counted, target, 0), counted:cast("f32"):unsqueeze(-1)
end

-- What the losses of classes are made of: for logits of the function `what`, the target as a distribution, smoothed and
-- times the weights of classes; what a mean divides by, nil: the images; the reduction.
local function read_classes(what, logits, target, options)
  arguments.tensor(what .. ": logits", logits)
  local classes = logits:size(-1)
  local way, counted = reduce.check(what, options.reduction), nil
  if options.ignore_index then target, counted = without(what, target, options.ignore_index) end
  local q = loss.distribution(target, classes, options.smoothing)
  if elements.shape_text(q) ~= elements.shape_text(logits) then
    fail("%s: the logits are %s, but the target is one for %s; it must be one for the same images", what,
      elements.shape_text(logits), elements.shape_text(q))
  end
  local weight = class_weights(what .. ": weight", options.weight, classes)
  local factor = weight and counted and weight * counted or weight or counted
  if not factor then return q, nil, way end
  local divisor
  if way == "mean" and not loss.is_distribution(target) then
    divisor = (loss.distribution(target, classes) * factor):sum()
  end
  return q * factor, divisor, way
end

-- loss.cross_entropy(logits, target [, smoothing or { smoothing = 0, weight =, ignore_index =, reduction = "mean" }])
-- -> the mean over the batch of - sum q log softmax(logits), q being the distribution that the target stands for.
-- `weight` has a factor for each class, a list or a tensor. As in PyTorch, a mean then divides by the sum of the
-- weights of the labels (of a mixture, with its own ones), and where the target is a distribution by the images.
-- Labels that are ignore_index, such as -100, do not count: their loss is 0, and a mean is that over the others (NaN
-- without any). reduction: "mean", "sum", "none" (one loss for each image).
function loss.cross_entropy(logits, target, given, ...)
  local what = "loss.cross_entropy"
  arguments.no_more(what, "logits, a target and a smoothing or a table of options", ...)
  if type(given) ~= "table" then given = { smoothing = given } end
  local options = arguments.options(what, given, {}, { "smoothing", "weight", "ignore_index", "reduction" })
  local q, divisor, way = read_classes(what, logits, target, options)
  return reduce.apply(way, ops.cross_entropy(logits, q), divisor)
end

-- loss.focal(logits, target [, { gamma = 2, smoothing = 0, weight =, reduction = "mean" }]): cross-entropy in which
-- images that are classified well already count less: the mean of - sum q (1 - p)^gamma log p, p = softmax(logits) (Lin
-- et al. 2017, equation 4, for several classes). `weight` is their alpha, a factor for each class; a mean divides by
-- the images whatever it is.
function loss.focal(logits, target, given, ...)
  local what = "loss.focal"
  arguments.no_more(what, "logits, a target and a table of options", ...)
  local options = arguments.options(what, given, { gamma = 2 }, { "smoothing", "weight", "reduction" })
  local gamma = arguments.number(what .. ": gamma", options.gamma, 0)
  local q, _, way = read_classes(what, logits, target, options)
  if gamma > 0 then
    local rest = 1 - logits:softmax()
    -- Below an exponent of 1 the slope at 0 is infinite, where the loss is 0.
    if gamma < 1 then rest = rest:maximum(1e-12) end
    q = ops.where(ops.eq(q, 0), 0, q * rest ^ gamma)
  end
  return reduce.apply(way, ops.cross_entropy(logits, q))
end

-- loss.dual_cutout(views, target [, alpha = 0.1 [, smoothing]]) -> one number: for the logits of two views of the
-- images the mean of their cross-entropies, plus alpha times the mean of the squared difference of the logits.
function loss.dual_cutout(views, target, alpha, smoothing, ...)
  arguments.no_more("loss.dual_cutout", "two logits, a target, alpha and a smoothing", ...)
  if type(views) ~= "table" or #views ~= 2 then
    fail("loss.dual_cutout: it takes the logits of two views in a list, as the images of augment.dual_cutout are")
  end
  alpha = arguments.finite("loss.dual_cutout: alpha", alpha or 0.1)
  local difference = views[1] - views[2]
  local both = loss.cross_entropy(views[1], target, smoothing) + loss.cross_entropy(views[2], target, smoothing)
  return both * 0.5 + (difference * difference):mean() * alpha
end

-- ---- of an input and a target of its shape ----

-- loss.mse(input, target [, { reduction = "mean" }]) -> the mean of the squared differences; reduction: "mean" (of all
-- elements), "sum", or "none" (PyTorch: MSELoss).
loss.mse = elements.define("loss.mse", {}, function(x, y)
  local difference = x - y
  return difference * difference
end)

-- loss.l1(input, target [, { reduction = "mean" }]) -> the mean of the absolute differences (PyTorch: L1Loss).
loss.l1 = elements.define("loss.l1", {}, function(x, y) return (x - y):abs() end)

-- Half the square of a distance below the limit, and beyond it a line of that slope.
local function half_square(distance, limit)
  return ops.where(distance:lt(limit), 0.5 * distance * distance, limit * (distance - 0.5 * limit))
end

-- loss.huber(input, target [, { delta = 1, reduction = "mean" }]) -> the mean of, d being the absolute difference, d^2
-- / 2 where d < delta, else delta (d - delta / 2) (Huber 1964; PyTorch: HuberLoss).
loss.huber = elements.define("loss.huber", { delta = 1 }, function(x, y, o)
  return half_square((x - y):abs(), elements.above_zero("loss.huber: delta", o.delta))
end)

-- loss.smooth_l1(input, target [, { beta = 1, reduction = "mean" }]) -> the mean of, d being the absolute difference,
-- d^2 / (2 beta) where d < beta, else d - beta / 2 (Girshick 2015; PyTorch: SmoothL1Loss).
loss.smooth_l1 = elements.define("loss.smooth_l1", { beta = 1 }, function(x, y, o)
  local beta = elements.above_zero("loss.smooth_l1: beta", o.beta)
  return half_square((x - y):abs(), beta) / beta
end)

-- loss.bce_with_logits(logits, target [, { pos_weight = 1, reduction = "mean" }]) -> the mean of the binary
-- cross-entropies -(w y log s + (1 - y) log(1 - s)), s being sigmoid(x), y a target from 0 to 1; they are finite for
-- large logits too (PyTorch: BCEWithLogitsLoss). w is pos_weight: a number, or one for each position of the last axis.
loss.bce_with_logits = elements.define("loss.bce_with_logits", { pos_weight = 1 }, function(x, y, o)
  local what, weight = "loss.bce_with_logits: pos_weight", o.pos_weight
  if type(weight) == "number" then
    arguments.number(what, weight, 0)
  else
    weight = class_weights(what, weight, x:rank() > 0 and x:size(-1) or 1):cast(x:dtype())
  end
  return (1 - y) * x + (1 + (weight - 1) * y) * ops.softplus(-x)
end)

-- loss.kl_div(input, target [, { log_target = false, reduction = "mean" }]) -> the mean of target (log target - input),
-- 0 where the target is 0: the divergence of Kullback and Leibler from the input, log-probabilities, to the target,
-- probabilities, or their logarithms with log_target. As in PyTorch (KLDivLoss) "mean" divides by all elements;
-- "batchmean" divides by the images, which gives the divergence as it is defined. For distillation (Hinton et al.
-- 2015):
--
--   icl.loss.kl_div((student / T):log_softmax(), (teacher / T):softmax(), { reduction = "batchmean" }) * T ^ 2
loss.kl_div = elements.define("loss.kl_div", { log_target = false }, function(x, y, o)
  if arguments.boolean("loss.kl_div: log_target", o.log_target) then return y:exp() * (y - x) end
  local absent = y:eq(0)
  return ops.where(absent, 0, y * (ops.where(absent, 1, y):log() - x))
end, { "batchmean" })

return require "icl.internal.strict".module(loss, "icl.loss")
