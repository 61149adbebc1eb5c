-- tensor/order.lua: what goes along one axis, as methods of tensors: running sums, order, elements at positions.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local given = require "icl.tensor.given"
local methods, ops = core.tensor_methods, core.ops

local function flag(what, value, default)
  if value == nil then return default end
  return arguments.boolean(what, value)
end

-- t:cumsum(dim [, reverse]): the sum of the elements up to each position of an axis, or from it on.
function methods.cumsum(x, ...)
  local o = given.by_name("cumsum", { "dim", "reverse" }, ...)
  local dim, reverse = given.axis("cumsum", o.dim, x:rank()), flag("cumsum: reverse", o.reverse, false)
  return ops.cumsum(x, { dim = dim, reverse = reverse })
end

-- The axis and the direction that a sort is given.
local function read_order(what, x, ...)
  local o = given.by_name(what, { "dim", "descending" }, ...)
  return given.axis(what, o.dim or -1, x:rank()), flag(what .. ": descending", o.descending, false)
end

-- t:argsort([dim [, descending]]): positions i64, from 0, that bring an axis into order, the last one unless given.
-- Equals stay in their order, and NaN counts as larger than every number.
function methods.argsort(x, ...)
  local axis, descending = read_order("argsort", x, ...)
  return ops.argsort(x, { dim = axis, descending = descending })
end

-- Elements at positions of their axis, and the positions.
local function with_values(x, axis, index)
  return ops.gather_along(x, index, { dim = axis }), index
end

-- t:sort([dim [, descending]]): the elements in order along an axis, the last one unless given; then their positions,
-- from 0. Equals stay in their order, and NaN counts as larger than every number.
function methods.sort(x, ...)
  local axis, descending = read_order("sort", x, ...)
  return with_values(x, axis, ops.argsort(x, { dim = axis, descending = descending }))
end

-- t:topk(k [, dim [, largest]]): the k largest along an axis in falling order, the last axis unless given; then their
-- positions, from 0. With largest = false the k smallest, in rising order. Of equals the first come first.
function methods.topk(x, ...)
  local o = given.by_name("topk", { "k", "dim", "largest" }, ...)
  local axis = given.axis("topk", o.dim or -1, x:rank())
  arguments.integer(("topk: k (of %d positions along axis %d)"):format(x:size(axis), axis), o.k, 0, x:size(axis))
  local largest = flag("topk: largest", o.largest, true)
  return with_values(x, axis, ops.argsort(x, { dim = axis, descending = largest, length = o.k }))
end

-- t:gather(index): rows of t, the positions of the first axis that a tensor i64 (n) lists, from 0.
-- t:gather(dim, index): elements: index, i64 of t's rank, says for each element of the result where along the axis it
-- is taken from; along other axes it may be shorter than t.
function methods.gather(x, first, ...)
  if type(first) == "userdata" then return ops.gather(x, first, ...) end
  local o = given.by_name("gather", { "dim", "index" }, first, ...)
  local axis, index = given.axis("gather", o.dim, x:rank()), arguments.tensor("gather: index", o.index)
  local own, shape = x:shape(), index:shape()
  local fits = #shape == #own
  for i = 1, #own do fits = fits and (i == axis or shape[i] <= own[i]) end
  if not fits then
    fail("gather: index (%s) does not fit (%s): along axes other than %d it must not be longer",
      table.concat(shape, ", "), table.concat(own, ", "), axis)
  end
  for i = 1, #own do
    if i ~= axis and shape[i] < own[i] then x = ops.narrow(x, 1, { dim = i, length = shape[i] }) end
  end
  return ops.gather_along(x, index, { dim = axis })
end
