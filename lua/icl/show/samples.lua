-- show/samples.lua: images as a training sees them, with their labels.
--
-- What happens to an image depends on seed, loop, epoch and image, and where images are mixed, on the number of the
-- batch in the loop. The loop is the first one in each epoch of a program's first icl.run, as that of icl.fit is.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local image = require "icl.image"
local numbers = require "icl.internal.numbers"
local places = require "icl.internal.places"
local sampler = require "icl.data.sampler"

local samples = {}

local LOOP = "run0.epoch%d.loop1"

-- ---- what a batch holds ----

-- Images (n, h, w, c) with three channels; one of grey is repeated.
local function colored(x)
  local channels = x:size(4)
  if channels ~= 1 and channels ~= 3 then
    fail("images of %d channels cannot be shown; those of 1 or 3 can", channels)
  end
  return channels == 3 and x or core.ops.concat(x, x, x, { dim = 4 })
end

-- Images as bytes, which those are that nothing has normalised.
local function bytes_of(x, set)
  if x:dtype() == "u8" then return colored(x) end
  local mean, std = core.new_tensor(set.mean, "f32"), core.new_tensor(set.std, "f32")
  local bytes = ((x:cast "f32" * std + mean) * 255 + 0.5):floor()
  return colored(bytes:clamp(0, 255):cast "u8")
end

-- The labels of image i: list of { class, weight }, the largest weight first. target: { labels = lists, weights = }.
local function labels_of(target, i)
  local weights, list = {}, {}
  for k, labels in ipairs(target.labels) do
    local class, weight = labels[i], target.weights[k]
    if not weights[class] then list[#list + 1] = { class, 0 } end
    weights[class] = (weights[class] or 0) + weight
  end
  for _, label in ipairs(list) do label[2] = weights[label[1]] end
  table.sort(list, function(a, b) return a[2] > b[2] or a[2] == b[2] and a[1] < b[1] end)
  return list
end

-- The target of a batch with its labels as lists.
local function read_target(target)
  if type(target) == "userdata" then return { labels = { target:totable() }, weights = { 1 } } end
  local labels = {}
  for k, vector in ipairs(target.labels) do labels[k] = vector:totable() end
  return { labels = labels, weights = target.weights }
end

-- samples.of_batch(batch, positions) -> list of { number = of the image in its set, from 0, pictures = list of u8
-- (h, w, 3), labels = list of { class, weight } } for these positions in the batch, from 1. Two views are two pictures.
function samples.of_batch(batch, positions)
  local views, list = batch.image, {}
  if type(views) ~= "table" then views = { views } end
  for k, view in ipairs(views) do views[k] = bytes_of(view, batch.set) end
  local index, target = batch.index:totable(), read_target(batch.target)
  for n, i in ipairs(positions) do
    local pictures = {}
    for k, view in ipairs(views) do pictures[k] = view:narrow(1, i, 1):squeeze(1) end
    list[n] = { number = index[i], pictures = pictures, labels = labels_of(target, i) }
  end
  return list
end

-- ---- where an image is ----

-- An error about an image that is not in the order of an epoch.
local function absent(loader, number, epoch)
  local set = loader.set
  local whole, part = set.labels:size(1), set.indices and set.indices:totable()
  if number >= whole then
    fail("{sample} %d: there is no such image among the %d; they are counted from 0", number, whole)
  end
  for _, own in ipairs(part or { number }) do
    if own == number then
      fail("{sample} %d is not seen in epoch %d: with {balanced} or {repeats} an epoch has some of the images; others "
        .. "have other ones", number, epoch)
    end
  end
  fail("{sample} %d is none of the %d %s images, into which {val_ratio} split the %d", number, #part,
    loader.training and "training" or "validation", whole)
end

-- The places of the images of these numbers in the order of an epoch.
local function find(loader, epoch, wanted)
  local place_of, found = {}, {}
  for place, number in ipairs(loader:order(epoch):totable()) do place_of[number] = place end
  for i, number in ipairs(wanted) do found[i] = place_of[number] or absent(loader, number, epoch) end
  return found
end

-- The places by the numbers of their batches: list of { batch =, positions = in it, asked = which of the places these
-- are }.
local function by_batch(found, size, batches, epoch, wanted)
  local groups, group_of = {}, {}
  for i, place in ipairs(found) do
    local number = (place - 1) // size + 1
    if number > batches then
      fail("{sample} %d is not seen in epoch %d: it is in the last smaller batch, which --drop-last leaves out",
        wanted[i], epoch)
    end
    local group = group_of[number] or { batch = number, positions = {}, asked = {} }
    if not group_of[number] then groups[#groups + 1], group_of[number] = group, group end
    group.positions[#group.positions + 1], group.asked[#group.asked + 1] = place - (number - 1) * size, i
  end
  return groups
end

-- One batch of an epoch of a loader, as a loop over all would have it.
local function read_batch(loader, epoch, number, loop)
  for index, k, decoded, fields in loader:indices(epoch, number - 1) do
    return loader:batch(index, epoch, k, decoded, loop, fields)
  end
end

-- Of that batch the images at these positions, which are the same without the others where nothing is mixed.
local function read_part(loader, epoch, number, loop, positions)
  local order, ids = loader:order(epoch)
  local index, fields = sampler.read(loader, order, ids, number)
  local places_in = core.new_tensor(positions, "i64") - 1
  local function own(list) return core.ops.gather(list, places_in) end
  return loader:batch(own(index), epoch, number, nil, loop, { id = fields.id and own(fields.id) })
end

-- samples.read(loader, epoch, { numbers = list or nil, count =, mixed = }) -> what samples.of_batch returns, for the
-- images of these numbers, or for the first `count` of the epoch. mixed: are images mixed with others of their batch?
function samples.read(loader, epoch, which)
  local loop, list, found = LOOP:format(epoch), {}, {}
  places.enter(loop, 0)
  local outside <close> = places.leaving
  if which.numbers then
    found = find(loader, epoch, which.numbers)
  else
    local seen = math.min(loader.set.count, loader.batches * loader.batch_size)
    for i = 1, math.min(which.count, seen) do found[i] = i end
  end
  for _, group in ipairs(by_batch(found, loader.batch_size, loader.batches, epoch, which.numbers)) do
    local batch, positions = nil, group.positions
    if which.mixed then
      batch = read_batch(loader, epoch, group.batch, loop)
    else
      batch, positions = read_part(loader, epoch, group.batch, loop, positions), numbers.sequence(#positions, 1)
    end
    for k, sample in ipairs(samples.of_batch(batch, positions)) do list[group.asked[k]] = sample end
  end
  return list
end

-- samples.original(set, number) -> the image as it is in the set, u8 (h, w, 3); of a folder, no larger than images of
-- the set are.
function samples.original(set, number)
  if not set.folder then
    return colored(core.ops.gather(set.images, core.new_tensor({ number }, "i64"))):squeeze(1)
  end
  local x = image.read(set.folder:file(number))
  local height, width = x:size(1), x:size(2)
  local scale = math.min(set.shape[1] / height, set.shape[2] / width)
  return image.resize(x, { math.max(1, math.floor(height * scale)), math.max(1, math.floor(width * scale)) })
end

return samples
