-- tensor/given.lua: what methods of tensors are given: lists, arguments by name, axes.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"

local given = {}

-- Numbers given one by one or as one table.
function given.list(what, first, ...)
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
function given.by_name(what, names, first, ...)
  if type(first) == "table" and has_names(first) then
    arguments.no_more(what, "either arguments by name in one table or by position", ...)
    return arguments.options(what, first, {}, names)
  end
  local result, given_values = {}, { first, ... }
  for i, name in ipairs(names) do result[name] = given_values[i] end
  arguments.no_more(what, table.concat(names, ", "),
    table.unpack(given_values, #names + 1, 1 + select("#", ...)))
  return result
end

-- An axis that counts from 1, or from -1 at the end, of `count` axes, as one that counts from 1.
function given.axis(what, axis, count)
  local at = math.type(axis) and math.tointeger(axis)
  if not at or at == 0 or at < -count or at > count then
    fail("%s: there is no axis %s among %d; axes count from 1, from -1 at the end", what, arguments.described(axis),
      count)
  end
  return at < 0 and at + count + 1 or at
end

-- A list of axes from what a caller gave: nothing (all axes), a number, or a list.
function given.axes(what, x, dims)
  local rank, list = x:rank(), {}
  if dims == nil then
    for i = 1, rank do list[i] = i end
  else
    for i, axis in ipairs(type(dims) == "table" and dims or { dims }) do list[i] = given.axis(what, axis, rank) end
  end
  return list
end

-- A place along an axis of `size`, which counts from 1, or from -1 at the end, as one that counts from 1; nil where it
-- is none.
function given.place(place, size)
  local at = math.type(place) and math.tointeger(place)
  if not at or at == 0 or at < -size or at > size then return nil end
  return at < 0 and at + size + 1 or at
end

return given
