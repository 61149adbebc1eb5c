-- tensor/reductions.lua: sums, means, extremes and the like over axes, as methods of tensors.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local dtypes = require "icl.internal.dtypes"
local fail = require "icl.internal.fail"
local given = require "icl.tensor.given"
local methods, ops = core.tensor_methods, core.ops

-- Reductions take their arguments by position, t:sum(2, true), or by name, t:sum { dims = 2, keepdim = true }.
local reduction, with_correction = { "dims", "keepdim" }, { "dims", "keepdim", "correction" }

-- -> the list of axes, keepdim, correction.
local function read_reduction(what, names, x, ...)
  local o = given.by_name(what, names, ...)
  if o.keepdim ~= nil and type(o.keepdim) ~= "boolean" then
    fail("%s: keepdim is %s; it must be true or false", what, arguments.described(o.keepdim))
  end
  local correction = o.correction and arguments.number(what .. ": correction", o.correction, 0) or 0
  return given.axes(what, x, o.dims), o.keepdim, correction
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

-- t:var([dims [, keepdim [, correction]]]): sum of squared deviations / (n - correction); correction, less than n, is 0
-- unless given.
function methods.var(x, ...)
  local dims, keepdim, correction = read_reduction("var", with_correction, x, ...)
  local deviation = x - mean(x, dims, true)
  local total = sum(deviation * deviation, dims, keepdim)
  local each = x:count() / math.max(total:count(), 1)
  if total:count() > 0 and each <= correction then
    fail("var: the correction is %g, but a variance is of %g numbers; it must be less", correction, each)
  end
  return total / (each - correction)
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

-- What turns the order of a dtype round and is itself when it is done again: -x does not exist for all of them.
local function turned(x)
  local dtype = x:dtype()
  if dtype == "bool" then return ops.logical_not(x) end
  if dtype == "u8" then return 255 - x end
  if dtype == "i32" or dtype == "i64" then return -1 - x end
  return -x
end

-- t:min([dims [, keepdim]]): the smallest over some axes.
function methods.min(x, ...)
  return turned(max(turned(x), read_reduction("min", reduction, x, ...)))
end

-- t:argmin([dim]): positions, counted from 0, of the first smallest along an axis, the last one unless given.
function methods.argmin(x, ...)
  local dim = given.by_name("argmin", { "dim" }, ...).dim or -1
  return ops.argmax(turned(x), { dim = given.axis("argmin", dim, x:rank()) })
end

-- t:argmax([dim]): positions, counted from 0, of the first largest along an axis, the last one unless given.
function methods.argmax(x, ...)
  local dim = given.by_name("argmax", { "dim" }, ...).dim or -1
  return ops.argmax(x, { dim = given.axis("argmax", dim, x:rank()) })
end

-- t:logsumexp([dims [, keepdim]]): log of the sum of e^x over some axes, without overflow.
function methods.logsumexp(x, ...)
  local dims, keepdim = read_reduction("logsumexp", reduction, x, ...)
  local largest = ops.detach(max(x, dims, true))
  local finite = ops.eq(largest - largest, 0)
  local shift = ops.where(finite, largest, 0)
  local total = sum(ops.exp(x - shift), dims, keepdim)
  return ops.log(total) + ops.reshape(shift, { shape = total:shape() })
end

-- t:any([dims [, keepdim]]): bool, is one element over some axes not 0?
function methods.any(x, ...)
  local dims, keepdim = read_reduction("any", reduction, x, ...)
  return ops.gt(sum(ops.ne(x, 0), dims, keepdim), 0)
end

-- t:all([dims [, keepdim]]): bool, are all elements over some axes not 0?
function methods.all(x, ...)
  local dims, keepdim = read_reduction("all", reduction, x, ...)
  return ops.eq(sum(ops.eq(x, 0), dims, keepdim), 0)
end
