-- tensor/parts.lua: parts of tensors, and tensors out of parts.
--
-- Where a part begins is not in the plan of a step: x[i] with another i in the next step, or in each pass of a loop of
-- steps, is the same plan; how long it is makes a plan of its own, as every shape does.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local given = require "icl.tensor.given"
local methods, ops = core.tensor_methods, core.ops

local MOST = 8  -- inputs of concat

local parts = {}

-- t:narrow(dim, first, length): `length` positions along an axis from position `first` on; -1 is the last one. In a
-- tensor, one i64, `first` counts from 0.
function methods.narrow(x, dim, first, length, ...)
  arguments.no_more("narrow", "an axis, the first position and a length", ...)
  if first == nil then fail "narrow: the first position is missing, the second argument" end
  return ops.narrow(x, first, { dim = dim, length = length })
end

-- Position `at` of an axis, without the axis.
local function taken(x, axis, at)
  local shape = x:shape()
  table.remove(shape, axis)
  return ops.reshape(ops.narrow(x, at, { dim = axis, length = 1 }), { shape = shape })
end

-- t:select(dim, i): position i of an axis, from 1, or from -1 at the end; the axis is gone.
function methods.select(x, dim, i, ...)
  arguments.no_more("select", "an axis and a position", ...)
  local axis = given.axis("select", dim, x:rank())
  local at = given.place(i, x:size(axis))
  if not at then
    fail("select: there is no position %s along axis %d, which has %d; positions count from 1, from -1 at the end",
      arguments.described(i), axis, x:size(axis))
  end
  return taken(x, axis, at)
end

-- The positions from first to last of the first axis, { first, last }.
local function range(x, first, last, ...)
  arguments.no_more("x[{ first, last }]", "two positions", ...)
  local size = x:size(1)
  local from, to = given.place(first, size), given.place(last == nil and -1 or last, size)
  if not from or not to or to < from then
    fail("x[{ %s, %s }]: these are no positions from first to last of axis 1, which has %d",
      arguments.described(first), last == nil and -1 or arguments.described(last), size)
  end
  return ops.narrow(x, from, { dim = 1, length = to - from + 1 })
end

-- x[i], t:at(i): position i of the first axis, from 1, or from -1 at the end; x[{ first, last }]: these and those
-- between, x[{ 3 }] all from the third on. x[#x + 1] is nil, so that `for i, row in ipairs(x)` ends; any other position
-- that is not there is an error.
function methods.at(x, place, ...)
  arguments.no_more("at", "a position or { first, last }", ...)
  if x:rank() == 0 then fail "a scalar has no positions; item() gives its number" end
  if type(place) == "table" then return range(x, table.unpack(place)) end
  local size = x:size(1)
  if place == size + 1 then return nil end
  local at = given.place(place, size)
  if not at then
    fail("x[%s]: there is no such position; axis 1 has %d, which count from 1, from -1 at the end; "
      .. "x[{ first, last }] is a range, gather() takes a tensor of positions", arguments.described(place), size)
  end
  return taken(x, 1, at)
end

-- t:index_select(dim, index): the positions of an axis that a tensor i64 (n) lists, which count from 0; gather() does
-- it along the first axis. Along another one all images are copied twice.
function methods.index_select(x, dim, index, ...)
  arguments.no_more("index_select", "an axis and a tensor of positions", ...)
  arguments.tensor("index_select: index", index)
  local axis = given.axis("index_select", dim, x:rank())
  if axis == 1 then return ops.gather(x, index) end
  return methods.transpose(ops.gather(methods.transpose(x, 1, axis), index), 1, axis)
end

-- t:split(size [, dim]): a list of parts of `size` positions along an axis, the first unless given; the last may be
-- smaller. size may be a list of sizes: t:split({ 2, 3 }, -1).
function methods.split(x, size, dim, ...)
  arguments.no_more("split", "a size, or a list of sizes, and an axis", ...)
  local axis = given.axis("split", dim or 1, x:rank())
  local total, sizes = x:size(axis), {}
  if type(size) == "table" then
    sizes = size
  else
    arguments.integer("split: size", size, 1)
    for first = 1, total, size do sizes[#sizes + 1] = math.min(size, total - first + 1) end
  end
  local list, first = {}, 1
  for i, length in ipairs(sizes) do
    arguments.integer(("split: size %d"):format(i), length, 0)
    list[i] = first + length - 1 <= total and ops.narrow(x, first, { dim = axis, length = length }) or nil
    first = first + length
  end
  if first - 1 ~= total then
    fail("split: the sizes add up to %d, but axis %d has %d positions", first - 1, axis, total)
  end
  return list
end

-- t:chunk(count [, dim]): a list of at most `count` parts of equal size along an axis, the first unless given; the last
-- may be smaller.
function methods.chunk(x, count, dim, ...)
  arguments.no_more("chunk", "a count and an axis", ...)
  arguments.integer("chunk: count", count, 1)
  local axis = given.axis("chunk", dim or 1, x:rank())
  return methods.split(x, math.max((x:size(axis) + count - 1) // count, 1), axis)
end

local function check_list(what, list)
  arguments.typed(what, list, "table", "a list of tensors and an axis")
  if #list == 0 then fail("%s: the list is empty; it must hold a tensor", what) end
  for i, x in ipairs(list) do arguments.tensor(("%s: entry %d"):format(what, i), x) end
end

local function concatenated(axis, ...)
  local inputs = { ... }
  inputs[#inputs + 1] = { dim = axis }
  return ops.concat(table.unpack(inputs))
end

-- A list of any number of tensors as one.
local function joined(list, axis)
  while #list > 1 do
    local fewer = {}
    for first = 1, #list, MOST do
      local last = math.min(first + MOST - 1, #list)
      fewer[#fewer + 1] = first == last and list[first] or
        concatenated(axis, table.unpack(list, first, last))
    end
    list = fewer
  end
  return list[1]
end

-- icl.concat(list [, dim]): tensors of one dtype one after another along an axis, the first unless given.
function parts.concat(list, dim, ...)
  arguments.no_more("icl.concat", "a list of tensors and an axis", ...)
  check_list("icl.concat", list)
  return joined(list, given.axis("icl.concat", dim or 1, list[1]:rank()))
end

-- icl.stack(list [, dim]): tensors of one shape along a new axis, the first unless given.
function parts.stack(list, dim, ...)
  arguments.no_more("icl.stack", "a list of tensors and the place of the new axis", ...)
  check_list("icl.stack", list)
  local axis, rows, shape = given.axis("icl.stack", dim or 1, list[1]:rank() + 1), {}, list[1]:shape()
  for i, x in ipairs(list) do
    local own = x:shape()
    if table.concat(own, " ") ~= table.concat(shape, " ") then
      fail("icl.stack: entry %d is (%s), and the first (%s); they must be of one shape", i, table.concat(own, ", "),
        table.concat(shape, ", "))
    end
    rows[i] = methods.unsqueeze(x, axis)
  end
  return joined(rows, axis)
end

return parts
