-- tensor.lua: methods of tensors and states that are made of ops. Every op is a method of its first input as well:
-- x:relu(), x:conv2d(w, { stride = 2 }). States read their current version.
local core = require "icl.core"
local dtypes = require "icl.internal.dtypes"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local ops = core.ops

local methods = core.tensor_methods
for name, op in pairs(ops) do
  if rawget(methods, name) == nil then methods[name] = op end
end

-- Numbers given one by one or as one table.
local function list(what, first, ...)
  if type(first) ~= "table" then return { first, ... } end
  arguments.no_more(what, "one list, or numbers one by one", ...)
  return first
end

-- Does a table have names, { dims = 1 }, rather than entries?
local function has_names(t)
  for key in pairs(t) do
    if type(key) == "string" then return true end
  end
  return false
end

-- Arguments as a table: they are given by position, in the order of `names`, or by name in one table.
local function by_name(what, names, first, ...)
  if type(first) == "table" and has_names(first) then
    arguments.no_more(what, "either arguments by name in one table or by position", ...)
    return arguments.options(what, first, {}, names)
  end
  local result, given = {}, { first, ... }
  for i, name in ipairs(names) do result[name] = given[i] end
  arguments.no_more(what, table.concat(names, ", "), table.unpack(given, #names + 1, 1 + select("#", ...)))
  return result
end

-- An axis that counts from 1, or from -1 at the end, of `count` axes, as one that counts from 1.
local function axis_of(what, axis, count)
  local at = math.type(axis) and math.tointeger(axis)
  if not at or at == 0 or at < -count or at > count then
    fail("%s: there is no axis %s among %d; axes count from 1, from -1 at the end", what, arguments.described(axis),
      count)
  end
  return at < 0 and at + count + 1 or at
end

-- A list of axes from what a caller gave: nothing (all axes), a number, or a list.
local function axes_of(what, x, dims)
  local rank, list = x:rank(), {}
  if dims == nil then
    for i = 1, rank do list[i] = i end
  else
    for i, axis in ipairs(type(dims) == "table" and dims or { dims }) do list[i] = axis_of(what, axis, rank) end
  end
  return list
end

-- Reductions take their arguments by position, t:sum(2, true), or by name, t:sum { dims = 2, keepdim = true }.
local reduction, with_correction = { "dims", "keepdim" }, { "dims", "keepdim", "correction" }

-- -> the list of axes, keepdim, correction.
local function read_reduction(what, names, x, ...)
  local o = by_name(what, names, ...)
  if o.keepdim ~= nil and type(o.keepdim) ~= "boolean" then
    fail("%s: keepdim is %s; it must be true or false", what, arguments.described(o.keepdim))
  end
  local correction = o.correction and arguments.number(what .. ": correction", o.correction, 0) or 0
  return axes_of(what, x, o.dims), o.keepdim, correction
end

local function sum(x, dims, keepdim)
  return ops.sum(x, { dims = dims, keepdim = keepdim })
end

local function mean(x, dims, keepdim)
  local total = sum(x, dims, keepdim)
  return total / (x:count() / math.max(total:count(), 1))
end

local function max(x, dims, keepdim)
  return ops.max(x, { dims = dims, keepdim = keepdim })
end

-- t:sum([dims [, keepdim]]): the sum over some axes, over all of them if none are given.
function methods.sum(x, ...)
  return sum(x, read_reduction("sum", reduction, x, ...))
end

-- t:mean([dims [, keepdim]])
function methods.mean(x, ...)
  return mean(x, read_reduction("mean", reduction, x, ...))
end

-- t:var([dims [, keepdim [, correction]]]): sum of squared deviations / (n - correction); correction is 0 unless given.
function methods.var(x, ...)
  local dims, keepdim, correction = read_reduction("var", with_correction, x, ...)
  local deviation = x - mean(x, dims, true)
  local total = sum(deviation * deviation, dims, keepdim)
  return total / (x:count() / math.max(total:count(), 1) - correction)
end

-- t:norm([dims [, keepdim]]): square root of the sum of squares, which are f32 at least. Its gradient is 0 where it is
-- 0.
function methods.norm(x, ...)
  local wide = dtypes.wide(x)
  local squares = sum(wide * wide, read_reduction("norm", reduction, x, ...))
  local zero = ops.eq(squares, 0)
  return ops.where(zero, 0, ops.where(zero, 1, squares):sqrt())
end

-- t:max([dims [, keepdim]]): the largest over some axes.
function methods.max(x, ...)
  return max(x, read_reduction("max", reduction, x, ...))
end

-- t:min([dims [, keepdim]]): the smallest over some axes.
function methods.min(x, ...)
  return -max(-x, read_reduction("min", reduction, x, ...))
end

-- t:argmax([dim]): positions, counted from 0, of the first largest along an axis, the last one unless given.
function methods.argmax(x, ...)
  local dim = by_name("argmax", { "dim" }, ...).dim or -1
  return ops.argmax(x, { dim = axis_of("argmax", dim, x:rank()) })
end

-- t:reshape(sizes...): one size may be -1.
function methods.reshape(x, ...)
  return ops.reshape(x, { shape = list("reshape", ...) })
end

-- t:flatten(): (n, h, w, c) -> (n, c h w), channels first, so that linear layers mean the same as in PyTorch; other
-- ranks keep their order: (n, ...) -> (n, m).
function methods.flatten(x, ...)
  arguments.no_more("flatten", "no arguments", ...)
  local n = x:size(1)
  if x:rank() == 4 and x:size(2) * x:size(3) > 1 then x = ops.permute(x, { dims = { 1, 4, 2, 3 } }) end
  if x:rank() == 2 then return x end
  return ops.reshape(x, { shape = { n, n > 0 and x:count() // n or -1 } })
end

-- t:permute(axes...): the axes in another order.
function methods.permute(x, ...)
  return ops.permute(x, { dims = list("permute", ...) })
end

-- t:transpose([a, b]): two axes exchanged, the last two unless given.
function methods.transpose(x, a, b, ...)
  arguments.no_more("transpose", "two axes", ...)
  local rank, order = x:rank(), axes_of("transpose", x)
  a, b = axis_of("transpose", a or -2, rank), axis_of("transpose", b or -1, rank)
  order[a], order[b] = b, a
  return ops.permute(x, { dims = order })
end

-- t:squeeze(dim): without an axis of size 1.
function methods.squeeze(x, dim, ...)
  arguments.no_more("squeeze", "an axis", ...)
  local shape = x:shape()
  local at = axis_of("squeeze", dim, #shape)
  if shape[at] ~= 1 then fail("squeeze: axis %d is of size %d, not 1", dim, shape[at]) end
  table.remove(shape, at)
  return ops.reshape(x, { shape = shape })
end

-- t:unsqueeze(dim): with a new axis of size 1 there.
function methods.unsqueeze(x, dim, ...)
  arguments.no_more("unsqueeze", "the place of an axis", ...)
  local shape = x:shape()
  table.insert(shape, axis_of("unsqueeze", dim, #shape + 1), 1)
  return ops.reshape(x, { shape = shape })
end

-- t:narrow(dim, first, length): `length` positions along an axis from position `first` on; -1 is the last one.
function methods.narrow(x, dim, first, length, ...)
  arguments.no_more("narrow", "an axis, the first position and a length", ...)
  if first == nil then fail "narrow: the first position is missing, the second argument" end
  return ops.narrow(x, first, { dim = dim, length = length })
end

-- t:cast(dtype), or t:to(dtype): itself if it has that dtype.
function methods.cast(x, dtype, ...)
  arguments.no_more("cast", "a dtype", ...)
  if x:dtype() == dtype then return x end
  return ops.cast(x, { dtype = dtype })
end
methods.to = methods.cast

-- t:float(): cast to f32.
function methods.float(x)
  return methods.cast(x, "f32")
end

-- t:linear(w [, b]): x (..., in), w (in, out), b (out) -> (..., out).
function methods.linear(x, w, b, ...)
  arguments.no_more("linear", "w and b", ...)
  arguments.tensor("linear: w", w)
  local shape, rank = x:shape(), x:rank()
  local flat = rank > 2 and ops.reshape(x, { shape = { x:count() // math.max(shape[rank], 1), shape[rank] } }) or x
  local y = ops.matmul(flat, methods.cast(w, x:dtype()))
  if b then y = y + b end
  if rank <= 2 then return y end
  shape[rank] = y:size(2)
  return ops.reshape(y, { shape = shape })
end

return methods
