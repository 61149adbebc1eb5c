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
local orders = require "icl.data.order"

local Loader = {}
Loader.__index = Loader

-- Can it be applied to a batch?
local function can_apply(value)
  if type(value) == "function" then return true end
  return type(value) == "table" and not stage.is_class(value) and (getmetatable(value) or {}).__call ~= nil
end

-- How the images of an epoch are chosen: the field `sums` where that is by weight.
local function choose_sampling(loader)
  arguments.integer("icl.data.loader: repeats", loader.repeats, 1)
  if loader.balanced and loader.weights then
    fail "icl.data.loader: {balanced} makes weights of its own; give one of them"
  end
  local weights = loader.balanced and orders.balanced(loader.set) or loader.weights
  if (weights or loader.repeats > 1) and not loader.training then
    fail("icl.data.loader: {weights}, {balanced} and {repeats} are for training = true; an evaluation sees each image "
      .. "once")
  end
  loader.sums = weights and orders.sums(loader.set, weights)
end

-- icl.data.loader(set, options) -> a loader. Options: batch_size = 128; training = false: in a new random order each
-- epoch, else in the order of the set; drop_last = training: leave out a last smaller batch; chain: what makes image
-- and target of a batch (icl.augment), only the normalisation unless given; title: what people call its loops, "Val".
-- For training: weights: a number for each image, a list or a tensor; an epoch has as many images as the set, each
-- drawn anew with a probability that is proportional to its weight. balanced = false: weights that make all classes as
-- frequent. repeats = 1: each image comes so many times, augmented anew each time, in an epoch of a part of the images
-- (Hoffer et al. 2020).
local function new(set, given)
  arguments.typed("icl.data.loader", set, "table", "a set")
  if not set.count then fail "icl.data.loader: this table is no set of images; icl.data.set makes one" end
  local defaults = { batch_size = 128, training = false, balanced = false, repeats = 1 }
  local loader = arguments.options("icl.data.loader", given, defaults, { "drop_last", "chain", "title", "weights" })
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
  choose_sampling(loader)
  loader.batches = loader.drop_last and set.count // loader.batch_size or -(-set.count // loader.batch_size)
  if loader.batches == 0 then
    fail("icl.data.loader: %d images are not one batch of %d; give a smaller {batch_size}, or not {drop_last}",
      set.count, loader.batch_size)
  end
  return setmetatable(loader, Loader)
end

-- How many images the whole has that a set is a part of.
local function whole_count(set)
  return set.labels:size(1)
end

-- loader:order(epoch) -> the numbers of the set's images in the order of an epoch, an i64 tensor; where images come
-- more than once, also what their draws go by, see data/order.lua.
function Loader:order(epoch)
  local count, indices = self.set.count, self.set.indices
  if not self.training then
    if indices then return indices end
    self.sequence = self.sequence or core.arange(count)
    return self.sequence
  end
  local order = self.sums and orders.sampled(self.sums, epoch) or core.permutation(places.words("order", epoch), count)
  if self.repeats > 1 then order = orders.repeated(order, self.repeats) end
  if indices then order = core.ops.gather(indices, order) end
  return order, (self.sums or self.repeats > 1) and orders.ids(order, whole_count(self.set)) or nil
end

-- for index, number, decoded, id in loader:indices(epoch [, done]): the index vectors of the epoch's batches behind the
-- first `done`, the numbers of these, from 1, of an image folder their decoded images, and where images come more than
-- once what their draws go by. To be called outside steps. The fourth value it returns is to be closed where a loop is
-- left early; a `for` does that.
function Loader:indices(epoch, done)
  local count, order, ids = math.min(self.set.count, self.batches * self.batch_size), self:order(epoch)
  local k, stream = math.min(done or 0, self.batches), nil
  if self.set.folder and k < self.batches then
    local first = k * self.batch_size + 1
    stream = folder.stream(self, (ids or order):narrow(1, first, count - first + 1), epoch, self.batch_size)
  end
  return function()
    if k == self.batches then return nil end
    local first = k * self.batch_size + 1
    k = k + 1
    local size = math.min(self.batch_size, count - first + 1)
    return order:narrow(1, first, size), k, stream and stream:next(), ids and ids:narrow(1, first, size)
  end, nil, nil, stream
end

-- loader:batch(index, epoch [, number, decoded, place, id]) -> the batch of these images; `number` is its place in the
-- epoch, `decoded` and `id` what loader:indices gave, `place` the loop that draws belong to: batch.place in a loop of
-- icl.run.
function Loader:batch(index, epoch, number, decoded, place, id)
  arguments.tensor("loader:batch: index", index)
  if self.set.folder and not decoded then
    local stream <close> = folder.stream(self, id or index, epoch, index:size(1))
    decoded = stream:next()
  end
  return new_batch { loader = self, index = index, epoch = epoch, number = number, decoded = decoded, place = place,
                     id = id or index }
end

-- for batch in loader:each([epoch = 1]): the batches of an epoch without a run, for a look at them; see icl.run for
-- training.
function Loader:each(epoch)
  epoch = arguments.integer("loader:each: epoch", epoch or 1, 1)
  local next_index, _, _, stream = self:indices(epoch)
  return function()
    local index, number, decoded, id = next_index()
    return index and self:batch(index, epoch, number, decoded, nil, id)
  end, nil, nil, stream
end

-- loader:first() -> the first batch of the first epoch.
function Loader:first()
  for batch in self:each() do return batch end
end

return new
