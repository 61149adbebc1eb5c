-- data/batch.lua: a batch of the images of a loader.
--
-- It has index (i64, the numbers of its images), id (i64, what their draws go by: index where images come once an
-- epoch), epoch, number (in the epoch, from 1) and, in a loop of icl.run, place (the name of the loop, for draws);
-- image and target are recorded when they are first asked for. A part of a batch has `all`, the index of the whole,
-- `all_ids`, and `positions` in that. A batch of an image folder has `decoded`, the images of the whole.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local grey = require "icl.data.grey"
local known = require "icl.internal.labels"

local Batch = {}

-- The images and labels as they are in the set.
local function fetch(batch)
  local set, decoded, positions = rawget(batch, "loader").set, rawget(batch, "decoded"), rawget(batch, "positions")
  if decoded then
    local image = positions and core.ops.gather(decoded, positions) or decoded
    batch.image = set.grey and grey(image) or image
  else
    batch.image = core.ops.gather(set.images, batch.index)
  end
  batch.target = core.ops.gather(set.labels, batch.index)
  known.classes[batch.target] = set.classes
  batch.set = set
end

function Batch.__index(batch, key)
  if key ~= "image" and key ~= "target" then return Batch[key] end
  fetch(batch)
  rawget(batch, "loader").chain(batch)
  return rawget(batch, key)
end

-- The images at `positions` (i64, from 0) of the whole batch.
local function part(batch, positions)
  local all, all_ids = batch:whole(), rawget(batch, "all_ids") or batch.id
  local index = core.ops.gather(all, positions)
  return setmetatable({ loader = batch.loader, index = index, epoch = batch.epoch, number = batch.number,
                        id = all_ids == all and index or core.ops.gather(all_ids, positions), place = batch.place,
                        all = all, all_ids = all_ids, positions = positions, decoded = rawget(batch, "decoded") },
                      Batch)
end

-- batch:whole() -> the numbers of the images of the batch that this one is a part of.
function Batch:whole()
  return rawget(self, "all") or self.index
end

-- batch:at(order) -> another image of the whole batch for each: that at position order[i] (i64, from 0) for the image
-- at position i; as they are in the set.
function Batch:at(order)
  arguments.tensor("batch:at: the order", order)
  local positions = rawget(self, "positions")
  local other = part(self, positions and core.ops.gather(order, positions) or order)
  fetch(other)
  return other
end

-- batch:size() -> how many images.
function Batch:size()
  return self.index:size(1)
end

-- batch:chunks(n) -> list of at most n batches of equal size, but for a last smaller one. Their images are drawn as
-- those of the whole batch would be.
function Batch:chunks(n)
  arguments.integer("batch:chunks: n", n, 1)
  if n == 1 then return { self } end
  local size, list = self:size(), {}
  local length = (size + n - 1) // n
  local positions = rawget(self, "positions") or core.arange(size)
  for first = 1, size, length do
    list[#list + 1] = part(self, positions:narrow(1, first, math.min(length, size - first + 1)))
  end
  return list
end

-- new { loader =, index =, id =, epoch = [, number =, decoded =] } -> a batch.
local function new(fields)
  return setmetatable(fields, Batch)
end

return new
