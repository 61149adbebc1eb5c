-- tensor/order.lua: what goes along one axis, as methods of tensors: running sums, order, elements at positions, and
-- what is added to them.
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

-- Does a tensor have the shape `own`, but for one axis?
local function is_like(t, own, axis)
  local shape = t:shape()
  if #shape ~= #own then return false end
  for i = 1, #own do
    if i ~= axis and shape[i] ~= own[i] then return false end
  end
  return true
end

-- t:scatter_add(dim, index, src): t, and each element of src added where the i64 at its place in index says along an
-- axis; index has the shape of src, and both that of t but for this axis. What meets at a place is added in its order.
function methods.scatter_add(x, ...)
  local o = given.by_name("scatter_add", { "dim", "index", "src" }, ...)
  local axis, index = given.axis("scatter_add", o.dim, x:rank()), arguments.tensor("scatter_add: index", o.index)
  local src = arguments.tensor("scatter_add: src", o.src)
  if not is_like(src, x:shape(), axis) or not is_like(index, src:shape()) then
    fail("scatter_add: src (%s) and index (%s) must be of one shape, that of (%s) but for axis %d",
      table.concat(src:shape(), ", "), table.concat(index:shape(), ", "), table.concat(x:shape(), ", "), axis)
  end
  return x + ops.gather_along_grad(src, index, { dim = axis, size = x:size(axis) })
end

-- t:index_add(dim, index, src): t, and each position of src along an axis added to the one that index, i64 (n), has for
-- it; src has the shape of t, but n positions along this axis.
function methods.index_add(x, ...)
  local o = given.by_name("index_add", { "dim", "index", "src" }, ...)
  local axis, index = given.axis("index_add", o.dim, x:rank()), arguments.tensor("index_add: index", o.index)
  local src = arguments.tensor("index_add: src", o.src)
  if index:rank() ~= 1 or not is_like(src, x:shape(), axis) or src:size(axis) ~= index:size(1) then
    fail("index_add: src (%s) must have the shape of (%s), but a position along axis %d for each of index (%s)",
      table.concat(src:shape(), ", "), table.concat(x:shape(), ", "), axis, table.concat(index:shape(), ", "))
  end
  local shape = {}
  for i = 1, src:rank() do shape[i] = i == axis and index:size(1) or 1 end
  index = ops.broadcast_to(ops.reshape(index, { shape = shape }), { shape = src:shape() })
  return x + ops.gather_along_grad(src, index, { dim = axis, size = x:size(axis) })
end
