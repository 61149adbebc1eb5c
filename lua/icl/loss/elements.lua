-- loss/elements.lua: what losses of an input and a target of one shape share.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local reduce = require "icl.loss.reduce"

local elements = {}

-- elements.shape_text(tensor) -> its shape as messages show it.
function elements.shape_text(tensor)
  return ("(%s)"):format(table.concat(tensor:shape(), ", "))
end

-- What losses are computed in: f64 as it is, all else in f32.
local function wide(x)
  return x:dtype() == "f64" and x or x:cast "f32"
end

-- The input and the target of the function `what`, which must agree in shape.
local function read_pair(what, input, target)
  arguments.tensor(what .. ": input", input)
  arguments.tensor(what .. ": target", target)
  local shape, wanted = elements.shape_text(input), elements.shape_text(target)
  if shape ~= wanted then
    fail("%s: the input is %s, but the target %s; they must have one shape", what, shape, wanted)
  end
  return wide(input), wide(target)
end

-- elements.define(what, defaults, formula [, reductions]) -> a function (input, target [, options]): of formula(x, y,
-- options), one value for each element, the mean, or what options.reduction says, which may be one of `reductions` too.
function elements.define(what, defaults, formula, reductions)
  return function(input, target, given, ...)
    arguments.no_more(what, "an input, a target and a table of options", ...)
    local x, y = read_pair(what, input, target)
    local options = arguments.options(what, given, defaults, { "reduction" })
    local way = reduce.check(what, options.reduction, reductions)
    if way == "batchmean" and x:rank() == 0 then
      fail("%s: reduction batchmean divides by the images, but the input is a single number", what)
    end
    return reduce.apply(way, formula(x, y, options))
  end
end

-- elements.above_zero(what, value) -> the number; an error unless it is one above 0.
function elements.above_zero(what, value)
  if arguments.number(what, value, 0) == 0 then fail("%s is 0; it must be above 0", what) end
  return value
end

return elements
