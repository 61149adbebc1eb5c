-- data/sampler.lua: which images of an epoch are in which batch, and which of them are this process's.
--
-- In training a batch is spread over all processes: each has its part of every batch, so that all images are used once,
-- in the order that one process would use them in. Of an evaluation that is shared out each process has every n-th
-- batch as a whole, so that no batch is another one for being shared out.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local numbers = require "icl.internal.numbers"
local processes = require "icl.internal.processes"
local spread = require "icl.internal.spread"

local sampler = {}

-- Where the others come from that images are mixed with.
sampler.mixes = { "process", "batch", "part" }

-- The images of a batch of all processes together.
local function global_size(loader)
  if loader.global_batch_size == nil then return loader.batch_size * loader.ranks end
  local global = arguments.integer("icl.data.loader: global_batch_size", loader.global_batch_size, 1)
  if global < loader.ranks then
    fail("icl.data.loader: {global_batch_size} %d is less than one image for each of %d processes", global,
      loader.ranks)
  end
  return global
end

-- sampler.settle(loader): a loader with what it was given gets rank and ranks (this process, of how many that have
-- parts of its batches), global_batch_size, batch_size (of a process, at most) and batches.
function sampler.settle(loader)
  local count = loader.set.count
  if count == 0 then fail "icl.data.loader: the set has no images" end
  loader.rank, loader.ranks = 0, 1
  if loader.training then loader.rank, loader.ranks = processes.rank(), processes.size() end
  loader.global_batch_size = global_size(loader)
  loader.batch_size = -(-loader.global_batch_size // loader.ranks)
  local size = loader.global_batch_size
  loader.batches = loader.drop_last and count // size or -(-count // size)
  if loader.batches == 0 then
    fail("icl.data.loader: %d images are not one batch of %d; give a smaller {batch_size}, or not {drop_last}", count,
      size)
  end
  local rest = loader.drop_last and 0 or count % size
  if rest > 0 and rest < loader.ranks then
    fail("icl.data.loader: the last batch of %d images has %d, which is not one for each of %d processes; give another "
      .. "{batch_size}, or {drop_last}", count, rest, loader.ranks)
  end
end

-- sampler.span(loader, number) -> of the batch of this number: whole_first and whole_count, its images in the order of
-- the epoch, from 0, by all processes; first and count, those of this one in it, from 0; counts, how many each process
-- has.
function sampler.span(loader, number)
  local size = loader.global_batch_size
  local span = { whole_first = (number - 1) * size, counts = {} }
  span.whole_count = math.min(size, loader.set.count - span.whole_first)
  span.first, span.count = spread.share(span.whole_count, loader.ranks, loader.rank)
  for rank = 1, loader.ranks do
    span.counts[rank] = select(2, spread.share(span.whole_count, loader.ranks, rank - 1))
  end
  return span
end

-- sampler.following(loader, number) -> the number of the batch that comes behind that one in this process.
function sampler.following(loader, number)
  local shared = loader.shared
  if not shared then return number + 1 end
  return number + 1 + (shared.rank - number) % shared.ranks
end

-- Are images of a batch mixed with those of other processes?
local function mixes_all(loader)
  return loader.ranks > 1 and loader.mix_with == "batch"
end

-- sampler.read(loader, order, ids, number) -> the index of what this process has of a batch, and what its batch is
-- told: see data/batch.lua. ids: nil where draws go by the numbers of images.
function sampler.read(loader, order, ids, number)
  local span = sampler.span(loader, number)
  local function own(list) return list:narrow(1, span.whole_first + span.first + 1, span.count) end
  local function whole(list) return list:narrow(1, span.whole_first + 1, span.whole_count) end
  local index, fields = own(order), { id = ids and own(ids) }
  if loader.ranks == 1 then return index, fields end
  fields.first, fields.whole_count, fields.counts = span.first, span.whole_count, span.counts
  if mixes_all(loader) then
    fields.all, fields.all_ids = whole(order), ids and whole(ids)
    fields.positions = core.new_tensor(numbers.sequence(span.count, span.first), "i64")
  end
  return index, fields
end

-- The places in the order, from 0, of what this process has of the batches behind the first `done`.
local function own_places(loader, done)
  local places, number = {}, sampler.following(loader, done)
  while number <= loader.batches do
    local span = sampler.span(loader, number)
    for i = 1, span.count do places[#places + 1] = span.whole_first + span.first + i - 1 end
    number = sampler.following(loader, number)
  end
  return core.new_tensor(places, "i64")
end

-- sampler.decoded(loader, order, done) -> what is decoded of the batches behind the first `done`, one after another: an
-- index, or nil where there is nothing; how many images a batch has.
function sampler.decoded(loader, order, done)
  local number = sampler.following(loader, done)
  if number > loader.batches then return nil end
  if not loader.shared and (loader.ranks == 1 or mixes_all(loader)) then
    local size = loader.global_batch_size
    local first, count = done * size, math.min(loader.set.count, loader.batches * size)
    return order:narrow(1, first + 1, count - first), size
  end
  return core.ops.gather(order, own_places(loader, done)), sampler.span(loader, number).count
end

return sampler
