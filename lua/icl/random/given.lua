-- random/given.lua: what draws with parameters are given: the parameters, then the shape, for icl.random as for the rng
-- of a stage.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"

local given = {}

-- given.randint(what, low, high, shape) -> the attributes of the draw.
function given.randint(what, low, high, shape, ...)
  if type(low) == "table" or type(high) == "table" then
    fail("%s: the shape is the last of low, high and shape, and both ends are drawn: %s(0, 9, { 3 })", what, what)
  end
  arguments.no_more(what, "low, high and a shape", ...)
  low = arguments.integer(what .. ": low", low, -1 << 31, (1 << 31) - 1)
  high = arguments.integer(what .. ": high", high, low, (1 << 31) - 1)
  return { shape = shape, low = low, high = high }
end

-- given.bernoulli(what, p, shape) -> the attributes of the draw.
function given.bernoulli(what, p, shape, ...)
  if type(p) == "table" then fail("%s: the shape is the last of p and shape: %s(0.5, { 3 })", what, what) end
  arguments.no_more(what, "p and a shape", ...)
  if p == nil then fail("%s: p is missing; it is the probability of true, from 0 to 1", what) end
  if type(p) == "number" and not (p >= 0 and p <= 1) then
    fail("%s: p is %s; it is the probability of true, from 0 to 1", what, p)
  end
  return { shape = shape }
end

return given
