-- data/loader.lua: loaders hand out the images of a set in batches.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local places = require "icl.internal.places"
local center_crop = require "icl.augment.center_crop"
local chain = require "icl.augment.chain"
local normalize = require "icl.augment.normalize"
local stage = require "icl.augment.stage"
local folder = require "icl.data.folder"
local new_batch = require "icl.data.batch"
local processes = require "icl.internal.processes"
local sampler = require "icl.data.sampler"

local Loader = {}
Loader.__index = Loader

-- Can it be applied to a batch?
local function can_apply(value)
  if type(value) == "function" then return true end
  return type(value) == "table" and not stage.is_class(value) and (getmetatable(value) or {}).__call ~= nil
end

-- icl.data.loader(set, options) -> a loader. Options: batch_size = 128; training = false: in a new random order each
-- epoch, else in the order of the set; drop_last = training: leave out a last smaller batch; chain: what makes image
-- and target of a batch (icl.augment), only the normalisation unless given; title: what people call its loops, "Val".
--
-- Where several processes train (icl.distributed) each has its part of every batch of a loader for training, of which
-- batch_size is the images of one process; global_batch_size, in its place, those of all. mix_with says where partners
-- come from that images are mixed with: "process", the part of their process; "batch", all of the batch; "part", the
-- part that is computed with them, where batch:chunks cuts it.
local function new(set, given)
  arguments.typed("icl.data.loader", set, "table", "a set")
  if not set.count then fail "icl.data.loader: this table is no set of images; icl.data.set makes one" end
  local defaults = { batch_size = 128, training = false, mix_with = "process" }
  local others = { "drop_last", "chain", "title", "global_batch_size" }
  local loader = arguments.options("icl.data.loader", given, defaults, others)
  loader.batch_size = arguments.integer("icl.data.loader: batch_size", loader.batch_size, 1)
  arguments.choice("icl.data.loader: mix_with", loader.mix_with, sampler.mixes)
  if loader.drop_last == nil then loader.drop_last = loader.training end
  loader.chain = loader.chain or chain { normalize {} }
  if not can_apply(loader.chain) then
    fail("icl.data.loader: chain is %s; it must be augment.chain { ... } or a function(batch)",
      arguments.described(loader.chain))
  end
  loader.decoder = type(loader.chain) == "table" and loader.chain.decoder or nil
  if set.folder then
    loader.decoder = loader.decoder or center_crop {}
  elseif loader.decoder then
    fail("icl.data.loader: stage %s decodes files, and the images of this set are in memory; random_crop takes those",
      loader.decoder.name)
  end
  loader.set = set
  sampler.settle(loader)
  return setmetatable(loader, Loader)
end

-- The numbers of the set's images in the order of an epoch: an i64 tensor.
function Loader:order(epoch)
  local count, indices = self.set.count, self.set.indices
  if not self.training then
    if indices then return indices end
    self.sequence = self.sequence or core.arange(count)
    return self.sequence
  end
  local order = core.permutation(places.words("order", epoch), count)
  return indices and core.ops.gather(indices, order) or order
end

-- for index, number, decoded, fields in loader:indices(epoch [, done]): the index vectors of the epoch's batches behind
-- the first `done`, the numbers of these, from 1, and, of an image folder, their decoded images; what loader:batch is
-- given besides. To be called outside steps. The fourth value it returns is to be closed where a loop is left early; a
-- `for` does that.
function Loader:indices(epoch, done)
  local order, k, stream = self:order(epoch), math.min(done or 0, self.batches), nil
  if self.set.folder then
    local index, size = sampler.decoded(self, order, k)
    if index then stream = folder.stream(self, index, epoch, size) end
  end
  return function()
    k = sampler.following(self, k)
    if k > self.batches then return nil end
    local index, fields = sampler.read(self, order, k)
    return index, k, stream and stream:next(), fields
  end, nil, nil, stream
end

-- loader:batch(index, epoch [, number, decoded, place, fields]) -> the batch of these images; `number` is its place in
-- the epoch, `decoded` and `fields` what loader:indices gave, `place` the loop that draws belong to: batch.place in a
-- loop of icl.run.
function Loader:batch(index, epoch, number, decoded, place, fields)
  arguments.tensor("loader:batch: index", index)
  if self.set.folder and not decoded then
    local stream <close> = folder.stream(self, index, epoch, index:size(1))
    decoded = stream:next()
  end
  local all = { loader = self, index = index, epoch = epoch, number = number, decoded = decoded, place = place }
  for name, value in pairs(fields or {}) do all[name] = value end
  return new_batch(all)
end

-- loader:shared_out() -> the loader of an evaluation of which each process does a part; itself where one does all.
function Loader:shared_out()
  if not processes.are_several() then return self end
  if not self.part_of_all then
    local shared = { rank = processes.rank(), ranks = processes.size() }
    self.part_of_all = setmetatable({ shared = shared }, { __index = self })
  end
  return self.part_of_all
end

return new
