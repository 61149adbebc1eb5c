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
local function new(set, given)
  arguments.typed("icl.data.loader", set, "table", "a set")
  if not set.count then fail "icl.data.loader: this table is no set of images; icl.data.set makes one" end
  local defaults = { batch_size = 128, training = false }
  local loader = arguments.options("icl.data.loader", given, defaults, { "drop_last", "chain", "title" })
  loader.batch_size = arguments.integer("icl.data.loader: batch_size", loader.batch_size, 1)
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
  loader.batches = loader.drop_last and set.count // loader.batch_size or -(-set.count // loader.batch_size)
  if loader.batches == 0 then
    fail("icl.data.loader: %d images are not one batch of %d; give a smaller {batch_size}, or not {drop_last}",
      set.count, loader.batch_size)
  end
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

-- for index, number, decoded in loader:indices(epoch [, done]): the index vectors of the epoch's batches behind the
-- first `done`, the numbers of these, from 1, and, of an image folder, their decoded images. To be called outside
-- steps. The fourth value it returns is to be closed where a loop is left early; a `for` does that.
function Loader:indices(epoch, done)
  local order, count = self:order(epoch), math.min(self.set.count, self.batches * self.batch_size)
  local k, stream = math.min(done or 0, self.batches), nil
  if self.set.folder and k < self.batches then
    local first = k * self.batch_size + 1
    stream = folder.stream(self, order:narrow(1, first, count - first + 1), epoch, self.batch_size)
  end
  return function()
    if k == self.batches then return nil end
    local first = k * self.batch_size + 1
    k = k + 1
    local index = order:narrow(1, first, math.min(self.batch_size, count - first + 1))
    return index, k, stream and stream:next()
  end, nil, nil, stream
end

-- loader:batch(index, epoch [, number, decoded, place]) -> the batch of these images; `number` is its place in the
-- epoch, `decoded` what loader:indices gave, `place` the loop that draws belong to: batch.place in a loop of icl.run.
function Loader:batch(index, epoch, number, decoded, place)
  arguments.tensor("loader:batch: index", index)
  if self.set.folder and not decoded then
    local stream <close> = folder.stream(self, index, epoch, index:size(1))
    decoded = stream:next()
  end
  return new_batch { loader = self, index = index, epoch = epoch, number = number, decoded = decoded, place = place }
end

return new
