-- internal/part.lua: the part of a batch that is computed now, where a batch is computed in parts: by several
-- processes, or one after another.
--
-- Draws for the images of a part are those that the whole batch would have, so that results do not depend on how images
-- are spread.
local core = require "icl.core"
local numbers = require "icl.internal.numbers"

local part = {}

local current  -- nil where the whole batch is computed at once

-- A part is { first =, count =, whole =, together = }: the number of its first image in the whole batch, from 0; its
-- images; those of the whole batch; and those that all processes compute at the same time. In a training of several
-- processes `own` has, in parts of its batch, too, the images of the batch that this one has.

-- part.current() -> the part that is computed now; nil where that is all.
function part.current()
  return current
end

-- part.is_shared() -> is this a pass of training that several processes do?
function part.is_shared()
  return current ~= nil and current.own ~= nil
end

-- part.enter(given) -> something to close where the part, or nil for all of a batch, is none any more.
function part.enter(given)
  local outer = current
  if given and outer then given.own = given.own or outer.own end
  current = given
  return setmetatable({}, { __close = function() current = outer end })
end

-- part.leave(): no part is computed, whatever was left open.
function part.leave()
  current = nil
end

-- part.rows(shape) -> the numbers in the whole batch of the rows that axis 1 of a shape counts, of which each image of
-- the part has as many; i64. Nothing, not even nil, where all of a batch is computed, or where rows are not of images.
function part.rows(shape)
  local count = shape[1] or 0
  if not current or current.count == 0 or count == 0 or count % current.count ~= 0 then return end
  current.rows = current.rows or {}
  local rows = current.rows[count]
  if not rows then
    rows = core.new_tensor(numbers.sequence(count, current.first * (count // current.count)), "i64")
    current.rows[count] = rows
  end
  return rows
end

-- part.draw_of(shape, options) -> what an op of draws takes behind its other inputs: these rows, if there are such, and
-- its attributes.
function part.draw_of(shape, options)
  local rows = part.rows(shape)
  if rows then return rows, options end
  return options
end

-- ---- means ----

-- What means over images were made of: of some losses the single ones.
local values_of = setmetatable({}, { __mode = "k" })

-- part.is_mean(x, values): x is the mean of these values, of which each image of a batch has as many.
function part.is_mean(x, values)
  if current then values_of[x] = values end
end

-- part.weighed(x, count, all) -> x, a mean over `count` images, times their share of `all`. Where it is known what x
-- was made of it is their sum through the number of all, so that its gradient is rounded as that of the mean over all.
function part.weighed(x, count, all)
  local values = values_of[x]
  if not values or values:count() % count ~= 0 then return x * (count / all) end
  return values:sum() / (values:count() // count * all)
end

-- part.weighed_own(x) -> where several processes train, x, a mean over the images that this one has, times their share
-- of the whole batch; else x.
function part.weighed_own(x)
  if not part.is_shared() then return x end
  return part.weighed(x, current.own, current.whole)
end

return part
