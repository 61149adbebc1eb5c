-- data/loader.lua: loaders hand out the images of a set in batches.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local places = require "icl.internal.places"
local center_crop = require "icl.augment.center_crop"
local chain = require "icl.augment.chain"
local normalize = require "icl.augment.normalize"
local stage = require "icl.augment.stage"
local augment_from_options = require "icl.augment.from_options"
local folder = require "icl.data.folder"
local new_batch = require "icl.data.batch"
local orders = require "icl.data.order"
local processes = require "icl.internal.processes"
local sampler = require "icl.data.sampler"

local Loader = {}
Loader.__index = Loader

-- A loader stays as it was made: what follows from one of its fields is in others.
local function refuse(_, name)
  fail("a loader stays as it was made, and its field '%s' cannot be assigned: icl.data.loader(loader.set, { batch_size "
    .. "= ..., ... }) makes another one", tostring(name))
end

local function text_of(loader)
  return ("a loader%s: %d images, %d batches of %d"):format(loader.training and " for training" or "", loader.set.count,
    loader.batches, loader.batch_size)
end

-- The loader with these fields.
local function sealed(fields)
  fields.found = {}  -- what is made once, when it is asked for
  return setmetatable({}, {
    __index = setmetatable(fields, Loader), __newindex = refuse, __pairs = function() return next, fields end,
    __tostring = text_of, __name = "loader", class = Loader,
  })
end

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

-- Puts what the options of a command line say in place of what was not given.
local function complete(given, set)
  local o, training = given.options, given.training or false
  arguments.typed("icl.data.loader: options", o, "table", "the options of a command line")
  local result = { chain = given.chain or augment_from_options(o, set, { training = training }) }
  if training then
    for _, name in ipairs { "batch_size", "global_batch_size", "drop_last", "mix_with", "balanced", "repeats" } do
      result[name] = o[name]
    end
  else
    result.batch_size = o.eval_batch_size
  end
  for name, value in pairs(given) do result[name] = value end
  result.options = nil
  return result
end

-- icl.data.loader(set, options) -> a loader. Options: batch_size = 128; training = false: in a new random order each
-- epoch, else in the order of the set; drop_last = training: leave out a last smaller batch; chain: what makes image
-- and target of a batch (icl.augment), only the normalisation unless given; title: what people call its loops, "Val".
-- For training: weights: a number for each image, a list or a tensor; an epoch has as many images as the set, each
-- drawn anew with a probability that is proportional to its weight. balanced = false: weights that make all classes as
-- frequent. repeats = 1: each image comes so many times, augmented anew each time, in an epoch of a part of the images
-- (Hoffer et al. 2020). options: those of a command line, as of icl.options.data and .augmentation, for what is not
-- given: the chain too, and for an evaluation eval_batch_size.
--
-- Where several processes train (icl.distributed) each has its part of every batch of a loader for training, of which
-- batch_size is the images of one process; global_batch_size, in its place, those of all. mix_with says where partners
-- come from that images are mixed with: "process", the part of their process; "batch", all of the batch; "part", the
-- part that is computed with them, where batch:chunks cuts it.
local function new(set, given)
  arguments.typed("icl.data.loader", set, "table", "a set")
  if not set.count then fail "icl.data.loader: this table is no set of images; icl.data.set makes one" end
  if type(given) == "table" and given.options ~= nil then given = complete(given, set) end
  local defaults = { batch_size = 128, training = false, mix_with = "process", balanced = false, repeats = 1 }
  local others = { "drop_last", "chain", "title", "weights", "global_batch_size" }
  local loader = arguments.options("icl.data.loader", given, defaults, others)
  loader.batch_size = arguments.integer("icl.data.loader: batch_size", loader.batch_size, 1)
  arguments.choice("icl.data.loader: mix_with", loader.mix_with, sampler.mixes)
  if loader.drop_last == nil then loader.drop_last = loader.training end
  if loader.training then processes.tell_if_apart() end
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
  loader.set, loader.made = set, core.clock()
  choose_sampling(loader)
  sampler.settle(loader)
  return sealed(loader)
end

-- How many images the whole has that a set is a part of.
local function whole_count(set)
  return set.labels:size(1)
end

-- The images at these places of a part. In a step the host takes them, since the order must outlive a step that is
-- dropped.
local function taken(indices, order)
  if not core.in_step() then return core.ops.gather(indices, order) end
  local from, list = indices:totable(), order:totable()
  for i, place in ipairs(list) do list[i] = from[place + 1] end
  return core.new_tensor(list, "i64")
end

-- loader:order(epoch) -> the numbers of the set's images in the order of an epoch, an i64 tensor; where images come
-- more than once, also what their draws go by, see data/order.lua.
function Loader:order(epoch)
  arguments.integer("loader:order: epoch", epoch, 0)
  local count, indices = self.set.count, self.set.indices
  if not self.training then
    if indices then return indices end
    self.found.sequence = self.found.sequence or core.arange(count)
    return self.found.sequence
  end
  local order = self.sums and orders.sampled(self.sums, epoch) or core.permutation(places.words("order", epoch), count)
  if self.repeats > 1 then order = orders.repeated(order, self.repeats) end
  if indices then order = taken(indices, order) end
  return order, (self.sums or self.repeats > 1) and orders.ids(order, whole_count(self.set)) or nil
end

-- for index, number, decoded, fields in loader:indices(epoch [, done]): the index vectors of the epoch's batches behind
-- the first `done`, the numbers of these, from 1, and, of an image folder, their decoded images; what loader:batch is
-- given besides. The fourth value it returns is to be closed where a loop is left early; a `for` does that.
function Loader:indices(epoch, done)
  local order, ids = self:order(epoch)
  local k, stream = math.min(done or 0, self.batches), nil
  if self.set.folder then
    local index, size = sampler.decoded(self, ids or order, k)
    if index then stream = folder.stream(self, index, epoch, size) end
  end
  return function()
    k = sampler.following(self, k)
    if k > self.batches then return nil end
    local index, fields = sampler.read(self, order, ids, k)
    return index, k, stream and stream:next(), fields
  end, nil, nil, stream
end

-- loader:batch(index, epoch [, number, decoded, place, fields]) -> the batch of these images; `number` is its place in
-- the epoch, `decoded` and `fields` what loader:indices gave, `place` the loop that draws belong to: batch.place in a
-- loop of icl.run.
function Loader:batch(index, epoch, number, decoded, place, fields)
  arguments.tensor("loader:batch: index", index)
  if self.set.folder and not decoded then
    local stream <close> = folder.stream(self, fields and fields.id or index, epoch, index:size(1))
    decoded = stream:next()
  end
  local all = { loader = self, index = index, id = index, epoch = epoch, number = number, decoded = decoded,
                place = place }
  for name, value in pairs(fields or {}) do all[name] = value end
  return new_batch(all)
end

-- The batches of an epoch behind the first `done`, whose draws belong to `place`, as a `for` takes them.
local function batches_of(loader, epoch, done, place)
  local next_index, _, _, stream = loader:indices(epoch, done)
  return function()
    local index, number, decoded, fields = next_index()
    return index and loader:batch(index, epoch, number, decoded, place, fields)
  end, nil, nil, stream
end

-- for batch in loader:each([epoch = 1]): the batches of an epoch without a run, for a look at them; see icl.run for
-- training.
function Loader:each(epoch)
  return batches_of(self, arguments.integer("loader:each: epoch", epoch or 1, 1), 0)
end

-- loader:cycle([done = 0]) -> a function that gives the next batch, of one epoch behind the other without an end, after
-- the first `done`. So a loop over the batches of one loader takes those of another beside them:
--
--   for _ in run:epochs() do
--     local next_batch = unlabelled:cycle(run.step)            -- which is right in a run that goes on, too
--     for batch in run:batches(labelled) do
--       local other = next_batch()
--
-- Of several processes each has its part of every batch. What the loop's loss is weighed by is the part of its own
-- batch, so sizes that the processes share evenly are to be chosen.
function Loader:cycle(done)
  local number = arguments.integer("loader:cycle: done", done or 0, 0)
  local place = places.name "cycle":gsub("^(.*)%.epoch%d+", "%1")  -- of all epochs of a run
  local next_batch
  return function()
    local behind = number % self.batches
    if not next_batch or behind == 0 then
      places.enter(place, 0)  -- where an epoch has one order, whenever it is begun
      local outside <close> = places.leaving
      next_batch = batches_of(self, number // self.batches + 1, behind, place)
    end
    number = number + 1
    return next_batch()
  end
end

-- loader:first() -> the first batch of the first epoch.
function Loader:first()
  for batch in self:each() do return batch end
end

-- loader:shared_out() -> the loader of an evaluation of which each process does a part; itself where one does all.
function Loader:shared_out()
  if not processes.are_several() then return self end
  if not self.found.part_of_all then
    local shared = { rank = processes.rank(), ranks = processes.size() }
    self.found.part_of_all = setmetatable({ shared = shared }, { __index = self, __newindex = refuse })
  end
  return self.found.part_of_all
end

return new
