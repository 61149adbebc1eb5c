-- loss/reduce.lua: what becomes of the losses of single elements or images.
local arguments = require "icl.internal.arguments"
local part = require "icl.internal.part"

local reduce = {}

local ways = {}

function ways.none(values)
  return values
end

function ways.sum(values)
  return values:sum()
end

function ways.mean(values, divisor)
  if divisor then return values:sum() / divisor end
  local mean = values:mean()
  part.is_mean(mean, values)
  return mean
end

-- By the images, as PyTorch calls it.
function ways.batchmean(values)
  return values:sum() / values:size(1)
end

local usual = { "mean", "sum", "none" }

-- reduce.check(what, way [, others]) -> the name of a reduction: mean, sum or none, or one of `others`; mean if it is
-- nil. Anything else is an error.
function reduce.check(what, way, others)
  if way == nil then return "mean" end
  local names = table.move(usual, 1, #usual, 1, {})
  for _, name in ipairs(others or {}) do names[#names + 1] = name end
  return arguments.choice(what .. ": reduction", way, names)
end

-- reduce.apply(way, values [, divisor]) -> the values reduced; a mean divides by their number, or by the divisor.
function reduce.apply(way, values, divisor)
  return ways[way](values, divisor)
end

return reduce
