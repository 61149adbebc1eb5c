-- data/batch.lua: a batch of the images of a loader.
--
-- It has index (i64, the numbers of its images), id (i64, what their draws go by: index where images come once an
-- epoch), epoch, number (in the epoch, from 1) and, in a loop of icl.run, place (the name of the loop, for draws);
-- image, target and what the chain puts beside them are recorded when one of them is first asked for. A batch of an
-- image folder has `decoded`, its images, or those of the whole that it is mixed with.
--
-- What mixes images takes partners from `all`, an index, whose ids are `all_ids`, in which the batch is at `positions`;
-- from the batch itself where these are missing. Of a batch that is one process's part of a whole, or a part of such a
-- one, `first` is the place of its first image in the whole, from 0, `whole_count` how many that has, and `counts` how
-- many each process has of such a part.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local grey = require "icl.data.grey"
local known = require "icl.internal.labels"
local spread = require "icl.internal.spread"
local stage = require "icl.augment.stage"

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

-- What a batch may lack; what else is asked for the chain has put there, or puts there now.
local may_lack = { place = true, number = true }

function Batch.__index(batch, key)
  if Batch[key] ~= nil or may_lack[key] or rawget(batch, "set") then return Batch[key] end
  fetch(batch)
  stage.call("icl.data.loader: the chain", rawget(batch, "loader").chain, batch)
  return rawget(batch, key)
end

-- The images at `positions` (i64, from 0) of what the batch is mixed with.
local function part(batch, positions)
  local all = batch:whole()
  local all_ids = rawget(batch, "all_ids") or rawget(batch, "all") or batch.id
  local index = core.ops.gather(all, positions)
  return setmetatable({ loader = batch.loader, index = index, epoch = batch.epoch, number = batch.number,
                        id = all_ids == all and index or core.ops.gather(all_ids, positions), place = batch.place,
                        all = all, all_ids = all_ids, positions = positions, decoded = rawget(batch, "decoded") },
                      Batch)
end

-- The images at `positions` of a batch, which are mixed with nothing else.
local function alone(batch, positions)
  local decoded, own = rawget(batch, "decoded"), rawget(batch, "positions")
  if decoded and own then decoded = core.ops.gather(decoded, own) end
  local index = core.ops.gather(batch.index, positions)
  return setmetatable({ loader = batch.loader, index = index, epoch = batch.epoch, number = batch.number,
                        id = batch.id == batch.index and index or core.ops.gather(batch.id, positions),
                        place = batch.place, decoded = decoded and core.ops.gather(decoded, positions) }, Batch)
end

-- batch:whole() -> the numbers of the images that those of this batch are mixed with, and they themselves.
function Batch:whole()
  return rawget(self, "all") or self.index
end

-- batch:at(order) -> another image of the whole for each: that at position order[i] (i64, from 0) for the image at
-- position i; as they are in the set.
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

-- batch:whole_size() -> how many images the batch has in all processes together.
function Batch:whole_size()
  return rawget(self, "whole_count") or self:size()
end

-- batch:share() -> the share of the whole batch that these images are: the loss of a process is its mean times this.
function Batch:share()
  return self:size() / self:whole_size()
end

-- batch:part() -> what internal/part.lua is told while this batch is computed.
function Batch:part()
  local together = 0
  for _, count in ipairs(rawget(self, "counts") or { self:size() }) do together = together + count end
  return { first = rawget(self, "first") or 0, count = self:size(), whole = self:whole_size(), together = together }
end

-- How many images part k of each process has, if there are several.
local function counts_of(batch, n, k, cut)
  local counts = {}
  for i, count in ipairs(rawget(batch, "counts") or {}) do counts[i] = cut(count, n)[k] or 0 end
  return #counts > 0 and counts or nil
end

-- batch:chunks(n [, as_published]) -> list of at most n batches that differ by one image at most; as published they are
-- equal but for a last smaller one. Their images are drawn as those of the whole batch would be, and mixed with it,
-- unless the loader has mix_with = "part".
function Batch:chunks(n, as_published)
  arguments.integer("batch:chunks: n", n, 1)
  if n == 1 then return { self } end
  local cut, separate = as_published and spread.published or spread.parts, self.loader.mix_with == "part"
  local size, list, first = self:size(), {}, 0
  local positions = not separate and rawget(self, "positions") or core.arange(size)
  for k, count in ipairs(cut(size, n)) do
    local chunk = (separate and alone or part)(self, positions:narrow(1, first + 1, count))
    chunk.first, chunk.whole_count = (rawget(self, "first") or 0) + first, self:whole_size()
    chunk.counts = counts_of(self, n, k, cut)
    list[k], first = chunk, first + count
  end
  return list
end

-- new { loader =, index =, id =, epoch = [, number =, decoded =, place =, all =, all_ids =, positions =, first =,
-- whole_count =, counts =] } -> a batch.
local function new(fields)
  return setmetatable(fields, Batch)
end

return new
