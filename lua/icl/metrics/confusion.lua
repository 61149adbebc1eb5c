-- metrics/confusion.lua: the confusion matrix, and figures that are read from one.
local arguments = require "icl.internal.arguments"
local accumulated = require "icl.metrics.accumulated"
local core = require "icl.core"
local fail = require "icl.internal.fail"
local loss = require "icl.loss"
local ops = core.ops

local averages = { "macro", "none", "weighted" }

-- What precision, recall and F1 make of a class: of its images that were found, of all that were called so, and of all
-- that are.
local scores = {}

local function quotient(a, b)
  return b > 0 and a / b or 0.0
end

function scores.precision(hits, called)
  return quotient(hits, called)
end

function scores.recall(hits, _, images)
  return quotient(hits, images)
end

function scores.f1(hits, called, images)
  return quotient(2 * hits, called + images)
end

-- One class in a matrix: hits, how many were called so, how many are.
local function of_class(matrix, k)
  local called, images = 0, 0
  for i = 1, #matrix do
    called, images = called + matrix[i][k], images + matrix[k][i]
  end
  return matrix[k][k], called, images
end

-- A score of the classes of a matrix as a list, or averaged.
local function score(matrix, kind, average)
  local list, total, weights = {}, 0, 0
  for k = 1, #matrix do
    local hits, called, images = of_class(matrix, k)
    list[k] = scores[kind](hits, called, images)
    local weight = average == "weighted" and images or called + images > 0 and 1 or 0
    total, weights = total + weight * list[k], weights + weight
  end
  if average == "none" then return list end
  return quotient(total, weights)
end

-- A class of metrics whose sums are a confusion matrix.
local function class(name)
  local result = accumulated.class(name)

  -- metric:init(options) -> the shape of its sums.
  function result:init(options)
    return { options.classes, options.classes }
  end

  -- metric:add(logits, target) -> what a batch adds to the sums.
  function result:add(logits, target)
    local classes = self.options.classes
    if logits:rank() ~= 2 or logits:size(2) ~= classes then
      fail("%s: the logits are (%s), but it was made for %d classes", name, table.concat(logits:shape(), ", "), classes)
    end
    local truth = loss.distribution(target, classes):cast "f32"
    return ops.matmul(truth, ops.one_hot(logits:argmax(), { classes = classes }), { transpose_a = true })
  end

  return result
end

local function checked(what, given, defaults)
  local options = arguments.options(what, given, defaults, { "classes" })
  arguments.size(what .. ": classes", options.classes)
  return options
end

local confusion, Confusion = {}, class "metrics.confusion"

-- metric:read(sums) -> its value.
function Confusion:read(sums)
  return sums
end

function confusion.confusion(given, ...)
  arguments.no_more("metrics.confusion", "a table of options", ...)
  return Confusion.new(checked("metrics.confusion", given, {}))
end

-- The function that makes metrics of a kind of score.
local function maker(kind)
  local what = "metrics." .. kind
  local Score = class(what)
  -- metric:read(sums) -> its value.
  function Score:read(sums)
    return score(sums, kind, self.options.average)
  end
  return function(given, ...)
    arguments.no_more(what, "a table of options", ...)
    local options = checked(what, given, { average = "macro" })
    arguments.choice(what .. ": average", options.average, averages)
    return Score.new(options)
  end
end

for kind in pairs(scores) do confusion[kind] = maker(kind) end

return confusion
