-- metrics: figures about predictions. Those of a batch are functions (logits, target) that give one number, which are
-- averaged over the images. Those of a whole set are objects, which add up in a state what they need; no batch waits
-- for them:
--
--   local result = icl.evaluate(model, test, { metrics = { f1 = icl.metrics.f1 { classes = 10 } } })
--   print(result.f1)
--
-- icl.evaluate and icl.fit take both as `metrics`; of an object they use a clone for each set and epoch. Numbers stand
-- in reports; lists and matrices are in what they return. In a loop of one's own:
--
--   local confusion = icl.metrics.confusion { classes = 10 }
--   for batch in run:batches(loader) do confusion:update(model(batch.image), batch.target) end
--   local matrix = confusion:value()                            -- confusion:reset() begins anew
--
-- A metric of one's own is a table with update(self, logits, target), value(self), reset(self) and clone(self); and
-- merge(self), if several processes can put together what each found; and named_states(self), as a module has, if a
-- run that goes on in the middle of an epoch is to know what it took in before.
local core = require "icl.core"
local calibration = require "icl.metrics.calibration"
local confusion = require "icl.metrics.confusion"
local fail = require "icl.internal.fail"
local loss = require "icl.loss"
local arguments = require "icl.internal.arguments"
local ops = core.ops

local metrics = {}

local function positions(classes)
  local list = {}
  for i = 1, classes do list[i] = i - 1 end
  return core.new_tensor(list, "i64")
end

local function check_logits(what, logits)
  arguments.tensor(what .. ": logits", logits)
  if logits:rank() ~= 2 then
    fail("%s: the logits are (%s); they must be (n, classes)", what, table.concat(logits:shape(), ", "))
  end
end

-- metrics.ranks(logits, labels) -> how many logits of each image are ahead of that of its label, f32 (n). Of equal
-- logits the first counts as the larger, as for argmax; all are ahead of a label whose logit is NaN.
function metrics.ranks(logits, labels)
  check_logits("metrics.ranks", logits)
  arguments.tensor("metrics.ranks: labels", labels)
  if labels:rank() ~= 1 or labels:size(1) ~= logits:size(1) then
    fail("metrics: there are %d rows of logits, but labels (%s); they must be (%d)", logits:size(1),
      table.concat(labels:shape(), ", "), logits:size(1))
  end
  local classes = logits:size(-1)
  local own = ops.where(ops.one_hot(labels, { classes = classes }), logits, -math.huge):max(-1, true)
  local earlier = ops.lt(positions(classes), labels:unsqueeze(-1))
  local ahead = ops.where(ops.eq(logits, own), earlier, ops.logical_not(ops.le(logits, own)))
  return ahead:cast "f32":sum(-1)
end

-- 1 for each image whose label is among the k largest logits, else 0; f32 (n). So k labels of a row are hits and no
-- more.
local function hits(logits, labels, k)
  return ops.lt(metrics.ranks(logits, labels), k):cast "f32"
end

-- metrics.mean_of_views(logits) -> the logits; of a list of them, one for each view of the images, their mean.
function metrics.mean_of_views(logits)
  if type(logits) ~= "table" then return logits end
  local sum = logits[1] or fail "metrics: the list of logits, one for each view of the images, is empty"
  for i = 2, #logits do sum = sum + logits[i] end
  return sum / #logits
end

-- metrics.accuracy(logits, target [, k = 1]) -> one number from 0 to 1: the fraction of images whose label is among
-- the k largest logits; for a mixture of label vectors the weighted mean of their fractions; for a distribution
-- that of its most probable class. Of a list of logits, one
-- for each view of the images, the mean counts.
--
-- Of k classes with the largest logits there are never more than k: of equal logits the class with the lower number
-- comes first. A label whose logit is NaN is a miss, and so is one that k others with NaN stand before.
function metrics.accuracy(logits, target, k)
  logits = metrics.mean_of_views(logits)
  check_logits("metrics.accuracy", logits)
  loss.check_target(target)
  k = math.min(arguments.integer("metrics.accuracy: k", k or 1, 1), logits:size(-1))
  if type(target) == "userdata" then
    return hits(logits, loss.is_distribution(target) and target:argmax() or target, k):mean()
  end
  local total
  for i, labels in ipairs(target.labels) do
    local part = hits(logits, labels, k):mean() * target.weights[i]
    total = total and total + part or part
  end
  return total
end

-- metrics.confusion { classes = } -> a metric of a whole set whose value is the confusion matrix, rows of numbers:
-- value[truth + 1][predicted + 1] images. Images whose labels are mixed count by parts.
metrics.confusion = confusion.confusion

-- metrics.class_accuracy { classes = } -> a metric of a whole set: for each class the share of its images whose largest
-- logit is its own, a list; 0 for a class without images.
function metrics.class_accuracy(options, ...)
  arguments.no_more("metrics.class_accuracy", "a table of options", ...)
  options = arguments.options("metrics.class_accuracy", options, {}, { "classes" })
  return confusion.recall { classes = options.classes, average = "none" }
end

-- metrics.precision { classes =, average = "macro" } -> a metric of a whole set: of the images that are taken for a
-- class the share that is of it. average: "macro", the mean over the classes that occur; "weighted", by their images;
-- "none", a list. A quotient of nothing is 0.
metrics.precision = confusion.precision

-- metrics.recall { classes =, average = "macro" } -> a metric of a whole set: of the images of a class the share that
-- is taken for it; its mean is the balanced accuracy. average as for metrics.precision.
metrics.recall = confusion.recall

-- metrics.f1 { classes =, average = "macro" } -> a metric of a whole set: the harmonic mean of precision and recall of
-- a class. average as for metrics.precision.
metrics.f1 = confusion.f1

-- metrics.calibration_error { bins = 15 } -> a metric of a whole set: the expected calibration error (Guo et al. 2017,
-- equation 3): images are put into bins by their largest probability, and its value is the mean over them of how far
-- the mean probability of their bin is from the share of it that is right.
metrics.calibration_error = calibration.calibration_error

-- metrics.clones(given) -> what a loop takes in: of a table of metrics by name the functions, and clones of the others.
function metrics.clones(given)
  local result = {}
  for name, f in pairs(given or {}) do result[name] = type(f) == "table" and f:clone() or f end
  return result
end

-- metrics.values(given) -> the values of the metrics of whole sets among them, by name.
function metrics.values(given)
  local result = {}
  for name, f in pairs(given) do
    if type(f) == "table" then result[name] = f:value() end
  end
  return result
end

-- One number of a function of one's own, a tensor or a number.
local function number_of(name, f, logits, target)
  local value = f(logits, target)
  local is_one = type(value) == "number" or type(value) == "userdata" and value:count() == 1
  if is_one then return value end
  fail("metric %s gives %s; it must be a tensor of one element, or a number", name,
    type(value) == "userdata" and ("a tensor (%s)"):format(table.concat(value:shape(), ", "))
      or arguments.described(value))
end

-- metrics.figures(logits, target [, more]) -> { top1 =, top5 =, and for each function of `more`, by name, what it gives
-- of logits and target }: one number each, for run:log. Metrics of whole sets among `more` take the batch in. Of a list
-- of logits the mean counts.
function metrics.figures(logits, target, more)
  logits = metrics.mean_of_views(logits)
  local figures = { top1 = metrics.accuracy(logits, target), top5 = metrics.accuracy(logits, target, 5) }
  for name, f in pairs(more or {}) do
    if type(f) == "table" then
      f:update(logits, target)
    else
      figures[name] = number_of(name, f, logits, target)
    end
  end
  return figures
end

return require "icl.internal.strict".module(metrics, "icl.metrics")
