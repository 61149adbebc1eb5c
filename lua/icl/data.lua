-- data.lua: image sets, and loaders that hand them out in batches.
--
-- A set is a table: images u8 (n, h, w, c), labels i64 (n) from 0, count, shape { h, w, c }, classes, class_names,
-- mean and std (of each channel, for bytes divided by 255), name. An image folder has `folder` in place of images, see
-- folder.lua. A part of a set has `indices`, the numbers of its images.
local core = require "icl.core"
local fail = require "icl.fail"
local folder = require "icl.folder"
local arguments = require "icl.arguments"
local random = require "icl.random"

local data = { folder = folder.open }

-- data.set { images =, labels =, classes =, mean =, std = [, name =, class_names =] } -> a set from tensors of one's
-- own.
function data.set(given)
  local set = arguments.options("icl.data.set", given, { name = "own" },
    { "images", "labels", "classes", "class_names", "mean", "std", "shape" })
  local shape, labels = set.images:shape(), set.labels:shape()
  if #shape ~= 4 or set.images:dtype() ~= "u8" then fail "icl.data.set: images must be u8 of shape (n, h, w, c)" end
  if #labels ~= 1 or labels[1] ~= shape[1] or set.labels:dtype() ~= "i64" then
    fail("icl.data.set: labels must be i64 of shape (%d), one for each image", shape[1])
  end
  arguments.integer("icl.data.set: classes", set.classes, 1)
  for _, name in ipairs { "mean", "std" } do
    if type(set[name]) ~= "table" or #set[name] ~= shape[4] then
      fail("icl.data.set: %s must be a list of %d numbers, one for each channel", name, shape[4])
    end
  end
  set.count, set.shape = shape[1], { shape[2], shape[3], shape[4] }
  return set
end

-- data.part(set, indices): the images whose numbers are in `indices`, an i64 tensor.
function data.part(set, indices)
  if set.indices then indices = core.ops.gather(set.indices, indices) end
  return setmetatable({ indices = indices, count = indices:size(1) }, { __index = set })
end

-- data.split(set, ratio) -> most of the set, the rest: floor(count * ratio) images chosen by the seed.
function data.split(set, ratio)
  local low, high = random.seed_words()
  local rest = math.floor(set.count * ratio)
  local order = core.permutation({ low, high, core.hash32 "split", 0 }, set.count)
  local function range(first, length) return data.part(set, order:narrow(1, first, length)) end
  return range(1, set.count - rest), range(set.count - rest + 1, rest)
end

local function read_pair(options)
  if options.dataset == "imagenet" then return folder.pair(options) end
  local path = options.data ~= "" and options.data or nil
  return data.set(core.data_open(options.dataset, path, "train")),
    data.set(core.data_open(options.dataset, path, "test"))
end

-- icl.data.open(options) -> train, validation, test. Options, as the group icl.options.data gives them: dataset, data
-- (folder, "" for the standard places), image_size, workers, use_test_as_val, val_ratio. With use_test_as_val
-- validation is the test set; otherwise it is a part of the training images, or nil if val_ratio is 0.
function data.open(options)
  local train, test = read_pair(options)
  if options.use_test_as_val ~= false then return train, test, test end
  local ratio = options.val_ratio or 0
  if math.floor(train.count * ratio) == 0 then return train, nil, test end
  local most, rest = data.split(train, ratio)
  return most, rest, test
end

-- 0, 1, ..., n - 1 as an i64 tensor.
local function sequence(n)
  local numbers = {}
  for i = 1, n do numbers[i] = i - 1 end
  return core.new_tensor(numbers, "i64", { n })
end

-- A batch: index (i64, the numbers of its images), epoch, number (in the epoch, from 1); image and target are recorded
-- when they are first asked for. A part of a batch has `all`, the index of the whole, and `positions` in that. A batch
-- of an image folder has `decoded`, the images of the whole.
local Batch = {}

-- The images and labels as they are in the set.
local function fetch(batch)
  local set, decoded, positions = rawget(batch, "loader").set, rawget(batch, "decoded"), rawget(batch, "positions")
  if decoded then
    batch.image = positions and core.ops.gather(decoded, positions) or decoded
  else
    batch.image = core.ops.gather(set.images, batch.index)
  end
  batch.target = core.ops.gather(set.labels, batch.index)
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
  local all = batch:whole()
  return setmetatable({ loader = batch.loader, index = core.ops.gather(all, positions), epoch = batch.epoch,
                        number = batch.number, all = all, positions = positions,
                        decoded = rawget(batch, "decoded") }, Batch)
end

-- batch:whole() -> the numbers of the images of the batch that this one is a part of.
function Batch:whole()
  return rawget(self, "all") or self.index
end

-- batch:at(order) -> another image of the whole batch for each: that at position order[i] (i64, from 0) for the image at
-- position i; as they are in the set.
function Batch:at(order)
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
  if n == 1 then return { self } end
  local size, list = self:size(), {}
  local length, positions = (size + n - 1) // n, rawget(self, "positions") or sequence(size)
  for first = 1, size, length do
    list[#list + 1] = part(self, positions:narrow(1, first, math.min(length, size - first + 1)))
  end
  return list
end

local Loader = {}
Loader.__index = Loader

-- data.loader(set, options) -> a loader. Options: batch_size = 128; training = false: in a new random order each
-- epoch, else in the order of the set; drop_last = training: leave out a last smaller batch; chain: what makes image
-- and target of a batch (icl.augment), only the normalisation unless given.
function data.loader(set, given)
  local defaults = { batch_size = 128, training = false }
  local loader = arguments.options("icl.data.loader", given, defaults, { "drop_last", "chain" })
  arguments.integer("icl.data.loader: batch_size", loader.batch_size, 1)
  if loader.drop_last == nil then loader.drop_last = loader.training end
  local augment = require "icl.augment"
  loader.chain = loader.chain or augment.chain { augment.normalize {} }
  loader.decoder = type(loader.chain) == "table" and loader.chain.decoder or nil
  if set.folder then
    loader.decoder = loader.decoder or augment.center_crop {}
  elseif loader.decoder then
    fail("icl.data.loader: stage %s decodes files, and the images of this set are in memory; random_crop takes those",
      loader.decoder.name)
  end
  loader.set = set
  loader.batches = loader.drop_last and set.count // loader.batch_size or -(-set.count // loader.batch_size)
  if loader.batches == 0 then
    fail("icl.data.loader: %d images are not one batch of %d; give a smaller batch_size or drop_last = false",
      set.count, loader.batch_size)
  end
  return setmetatable(loader, Loader)
end

-- The numbers of the set's images in the order of an epoch: an i64 tensor.
function Loader:order(epoch)
  local count, indices = self.set.count, self.set.indices
  if not self.training then
    if indices then return indices end
    self.sequence = self.sequence or sequence(count)
    return self.sequence
  end
  local low, high = random.seed_words()
  local order = core.permutation({ low, high, core.hash32 "order", epoch }, count)
  return indices and core.ops.gather(indices, order) or order
end

-- for index, number, decoded in loader:indices(epoch): the index vectors of the epoch's batches, the numbers of these,
-- from 1, and, of an image folder, their decoded images. To be called outside steps. The fourth value it returns is to
-- be closed where a loop is left early; a `for` does that.
function Loader:indices(epoch)
  local order, count, k, stream = self:order(epoch), math.min(self.set.count, self.batches * self.batch_size), 0, nil
  if self.set.folder then stream = folder.stream(self, order:narrow(1, 1, count), epoch, self.batch_size) end
  return function()
    if k == self.batches then return nil end
    local first = k * self.batch_size + 1
    k = k + 1
    local index = order:narrow(1, first, math.min(self.batch_size, count - first + 1))
    return index, k, stream and stream:next()
  end, nil, nil, stream
end

-- loader:batch(index, epoch [, number, decoded]) -> the batch of these images; `number` is its place in the epoch,
-- `decoded` what loader:indices gave.
function Loader:batch(index, epoch, number, decoded)
  if self.set.folder and not decoded then
    local stream <close> = folder.stream(self, index, epoch, index:size(1))
    decoded = stream:next()
  end
  return setmetatable({ loader = self, index = index, epoch = epoch, number = number, decoded = decoded }, Batch)
end

return data
