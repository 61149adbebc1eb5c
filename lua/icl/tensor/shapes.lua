-- tensor/shapes.lua: the same elements in another shape, repeated or in another order, as methods of tensors.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local given = require "icl.tensor.given"
local methods, ops = core.tensor_methods, core.ops

-- t:reshape(sizes...): one size may be -1.
function methods.reshape(x, ...)
  return ops.reshape(x, { shape = given.list("reshape", ...) })
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
  return ops.permute(x, { dims = given.list("permute", ...) })
end

-- t:transpose([a, b]): two axes exchanged, the last two unless given.
function methods.transpose(x, a, b, ...)
  arguments.no_more("transpose", "two axes", ...)
  if a and not b then fail("transpose: it takes two axes, or none, and only %s was given", arguments.described(a)) end
  local rank, order = x:rank(), given.axes("transpose", x)
  a, b = given.axis("transpose", a or -2, rank), given.axis("transpose", b or -1, rank)
  order[a], order[b] = b, a
  return ops.permute(x, { dims = order })
end

-- t:squeeze([dim]): without an axis of size 1; without all of them unless one is given.
function methods.squeeze(x, dim, ...)
  arguments.no_more("squeeze", "an axis", ...)
  local shape = x:shape()
  if dim == nil then
    local kept = {}
    for _, size in ipairs(shape) do
      if size ~= 1 then kept[#kept + 1] = size end
    end
    return ops.reshape(x, { shape = kept })
  end
  local at = given.axis("squeeze", dim, #shape)
  if shape[at] ~= 1 then fail("squeeze: axis %d is of size %d, not 1", dim, shape[at]) end
  table.remove(shape, at)
  return ops.reshape(x, { shape = shape })
end

-- t:unsqueeze(dim): with a new axis of size 1 there.
function methods.unsqueeze(x, dim, ...)
  arguments.no_more("unsqueeze", "the place of an axis", ...)
  local shape = x:shape()
  table.insert(shape, given.axis("unsqueeze", dim, #shape + 1), 1)
  return ops.reshape(x, { shape = shape })
end

-- t:expand(sizes...): axes of size 1 repeated to these sizes; -1 leaves one as it is, and further sizes in front make
-- new axes.
function methods.expand(x, ...)
  local sizes, own, target = given.list("expand", ...), x:shape(), {}
  local new = #sizes - #own
  if new < 0 then fail("expand: %d sizes for a tensor of rank %d", #sizes, #own) end
  for i, size in ipairs(sizes) do
    if size == -1 and i <= new then fail("expand: size %d is -1, but this axis is a new one; it needs a size", i) end
    target[i] = size == -1 and own[i - new] or size
  end
  return ops.broadcast_to(x, { shape = target })
end

-- The sizes of a tensor about one axis, with the first axis kept apart where that is another one, so that what is done
-- to them is done image by image: { n, between, size, behind } or { 1, 1, size, behind }; behind that axis nothing may
-- move.
local function about(shape, axis)
  local between, behind = 1, 1
  for i = 2, axis - 1 do between = between * shape[i] end
  for i = axis + 1, #shape do behind = behind * shape[i] end
  return { axis > 1 and shape[1] or 1, between, shape[axis], behind }
end

-- t:repeat_interleave(count, dim): each position of an axis `count` times in a row: 1, 1, 2, 2.
function methods.repeat_interleave(x, count, dim, ...)
  arguments.no_more("repeat_interleave", "a count and an axis", ...)
  arguments.integer("repeat_interleave: count", count, 1)
  local shape = x:shape()
  local axis = given.axis("repeat_interleave", dim, #shape)
  local n, between, size, behind = table.unpack(about(shape, axis))
  x = ops.reshape(x, { shape = { n, between * size, 1, behind } })
  x = ops.broadcast_to(x, { shape = { n, between * size, count, behind } })
  shape[axis] = size * count
  return ops.reshape(x, { shape = shape })
end

-- The whole of an axis `count` times: 1, 2, 1, 2.
local function tiled(x, axis, count)
  local shape = x:shape()
  local n, between, size, behind = table.unpack(about(shape, axis))
  x = ops.reshape(x, { shape = { n, between, 1, size * behind } })
  x = ops.broadcast_to(x, { shape = { n, between, count, size * behind } })
  shape[axis] = size * count
  return ops.reshape(x, { shape = shape })
end

-- t:repeat_(counts...): the whole as often along each axis; further counts in front make new axes. It is PyTorch's
-- `repeat`, which is a word of Lua.
function methods.repeat_(x, ...)
  local counts, shape = given.list("repeat_", ...), x:shape()
  local new = #counts - #shape
  if new < 0 then fail("repeat_: %d counts for a tensor of rank %d", #counts, #shape) end
  for _ = 1, new do table.insert(shape, 1, 1) end
  if new > 0 then x = ops.reshape(x, { shape = shape }) end
  for axis, count in ipairs(counts) do
    arguments.integer(("repeat_: count %d"):format(axis), count, 1)
    if count > 1 then x = tiled(x, axis, count) end
  end
  return x
end

-- x mirrored along one axis, which the op does along the third.
local function mirrored(x, axis)
  local shape = x:shape()
  local sizes = about(shape, axis)
  local flipped = ops.flip(ops.reshape(x, { shape = sizes }), core.full({ sizes[1] }, 1, "bool"))
  return ops.reshape(flipped, { shape = shape })
end

-- t:flip(axes...): mirrored along axes, flip(3) left to right where t is images. t:flip(which), a tensor bool (n), is
-- the op: images (n, h, w, c) left to right where it is true.
function methods.flip(x, first, ...)
  if type(first) == "userdata" then return ops.flip(x, first, ...) end
  local axes = given.list("flip", first, ...)
  if #axes == 0 then fail "flip: it takes axes, or a tensor of bools" end
  local done, y = {}, x
  for _, axis in ipairs(given.axes("flip", x, axes)) do
    if done[axis] then fail("flip: axis %d is given twice", axis) end
    done[axis], y = true, mirrored(y, axis)
  end
  return y
end

-- t:roll(shift [, dim]): every position `shift` further along an axis, what leaves at the end coming in at its
-- beginning; without an axis that of all elements in a row. The shift is not part of the plan: another one in the next
-- step makes no new plan.
function methods.roll(x, shift, dim, ...)
  arguments.no_more("roll", "a shift and an axis", ...)
  if math.type(shift) ~= "integer" then
    fail("roll: the shift is %s; it must be an integer", arguments.described(shift))
  end
  if dim == nil then
    local flat = ops.reshape(x, { shape = { x:count() } })
    return ops.reshape(methods.roll(flat, shift, 1), { shape = x:shape() })
  end
  local axis = given.axis("roll", dim, x:rank())
  local size = x:size(axis)
  if size == 0 then return x end
  return ops.narrow(ops.concat(x, x, { dim = axis }), -shift % size + 1, { dim = axis, length = size })
end
