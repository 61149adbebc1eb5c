-- tensor.lua: methods of tensors and states that are made of ops. Every op is a method of its first input as well:
-- x:relu(), x:conv2d(w, { stride = 2 }). States read their current version.
local fail = require "icl.internal.fail"
local core = require "icl.core"
local ops = core.ops

local methods = core.tensor_methods
for name, op in pairs(ops) do
  if rawget(methods, name) == nil then methods[name] = op end
end

-- A list of axes from what a caller gave: nothing (all axes), a number, or a list.
local function axes(x, dims)
  if type(dims) == "table" then return dims end
  if dims ~= nil then return { dims } end
  local all = {}
  for i = 1, x:rank() do all[i] = i end
  return all
end

-- Numbers given one by one or as one table.
local function list(first, ...)
  if type(first) == "table" then return first end
  return { first, ... }
end

-- t:sum([dims [, keepdim]]): the sum over some axes, over all of them if none are given.
function methods.sum(x, dims, keepdim)
  return ops.sum(x, { dims = axes(x, dims), keepdim = keepdim })
end

-- t:mean([dims [, keepdim]])
function methods.mean(x, dims, keepdim)
  local sum = methods.sum(x, dims, keepdim)
  return sum / (x:count() / math.max(sum:count(), 1))
end

-- t:var([dims [, keepdim [, correction]]]): sum of squared deviations / (n - correction); correction is 0 unless given.
function methods.var(x, dims, keepdim, correction)
  local deviation = x - methods.mean(x, dims, true)
  local sum = methods.sum(deviation * deviation, dims, keepdim)
  return sum / (x:count() / math.max(sum:count(), 1) - (correction or 0))
end

-- t:norm([dims [, keepdim]]): square root of the sum of squares. It has no gradient where it is 0.
function methods.norm(x, dims, keepdim)
  return methods.sum(x * x, dims, keepdim):sqrt()
end

-- t:max([dims [, keepdim]]): the largest over some axes.
function methods.max(x, dims, keepdim)
  return ops.max(x, { dims = axes(x, dims), keepdim = keepdim })
end

-- t:min([dims [, keepdim]]): the smallest over some axes.
function methods.min(x, dims, keepdim)
  return -ops.max(-x, { dims = axes(x, dims), keepdim = keepdim })
end

-- t:argmax([dim]): positions, counted from 0, of the first largest along an axis, the last one unless given.
function methods.argmax(x, dim)
  return ops.argmax(x, { dim = dim or -1 })
end

-- t:reshape(sizes...): one size may be -1.
function methods.reshape(x, ...)
  return ops.reshape(x, { shape = list(...) })
end

-- t:flatten(): (n, h, w, c) -> (n, c h w), channels first, so that linear layers mean the same as in PyTorch; other
-- ranks keep their order: (n, ...) -> (n, m).
function methods.flatten(x)
  local n = x:size(1)
  if x:rank() == 4 and x:size(2) * x:size(3) > 1 then x = ops.permute(x, { dims = { 1, 4, 2, 3 } }) end
  if x:rank() == 2 then return x end
  return ops.reshape(x, { shape = { n, n > 0 and x:count() // n or -1 } })
end

-- t:permute(axes...): the axes in another order.
function methods.permute(x, ...)
  return ops.permute(x, { dims = list(...) })
end

-- t:transpose([a, b]): two axes exchanged, the last two unless given.
function methods.transpose(x, a, b)
  local rank, order = x:rank(), axes(x)
  a, b = a or -2, b or -1
  if a < 0 then a = a + rank + 1 end
  if b < 0 then b = b + rank + 1 end
  if not (order[a] and order[b]) then fail("transpose: a tensor of rank %d has no such axes", rank) end
  order[a], order[b] = b, a
  return ops.permute(x, { dims = order })
end

-- t:squeeze(dim): without an axis of size 1.
function methods.squeeze(x, dim)
  local shape = x:shape()
  local at = dim < 0 and dim + #shape + 1 or dim
  if shape[at] ~= 1 then fail("squeeze: axis %d is of size %s, not 1", dim, tostring(shape[at])) end
  table.remove(shape, at)
  return ops.reshape(x, { shape = shape })
end

-- t:unsqueeze(dim): with a new axis of size 1 there.
function methods.unsqueeze(x, dim)
  local shape = x:shape()
  local at = dim < 0 and dim + #shape + 2 or dim
  if at < 1 or at > #shape + 1 then fail("unsqueeze: there is no place %d in a tensor of rank %d", dim, #shape) end
  table.insert(shape, at, 1)
  return ops.reshape(x, { shape = shape })
end

-- t:narrow(dim, first, length): `length` positions along an axis from position `first` on.
function methods.narrow(x, dim, first, length)
  return ops.narrow(x, first, { dim = dim, length = length })
end

-- t:cast(dtype), or t:to(dtype): itself if it has that dtype.
function methods.cast(x, dtype)
  if x:dtype() == dtype then return x end
  return ops.cast(x, { dtype = dtype })
end
methods.to = methods.cast

-- t:float(): cast to f32.
function methods.float(x)
  return methods.cast(x, "f32")
end

-- t:linear(w [, b]): x (n, in), w (in, out), b (out) -> (n, out).
function methods.linear(x, w, b)
  local y = ops.matmul(x, methods.cast(w, x:dtype()))
  return b and y + b or y
end

return methods
