-- evaluation/sets.lua: the images that a network is evaluated on.
local core = require "icl.core"
local data = require "icl.data"
local fail = require "icl.internal.fail"
local numbers = require "icl.internal.numbers"

local sets = {}

local function is_folder(path)
  return core.list_folder(path) ~= nil
end

-- Where the images for a test lie: where the training had them, which knows no folder test, unless they are asked for.
local as_trained, asked_for = { "val", "test" }, { "test", "val" }

-- The folder with the classes of a part, "train", "val" or "test", of a folder of one's own.
local function part_of(path, part, is_asked_for)
  for _, name in ipairs(part == "test" and (is_asked_for and asked_for or as_trained) or { part }) do
    if is_folder(path .. "/" .. name) then return path .. "/" .. name end
  end
  return path
end

local function open_folder(o)
  if not o.data or o.data == "" then fail("%s: it needs {data} DIR", o.dataset) end
  return data.folder(part_of(o.data, o.split, o.is_asked_for), {
    image_size = o.image_size, name = o.dataset, workers = o.workers, skip_bad_images = o.skip_bad_images,
    grey = o.grey,
  })
end

-- A part of all images, of those for training without the ones that the training kept for validation.
local function open_pair(o)
  local train, val, test = data.open { dataset = o.dataset, data = o.data, val_ratio = o.val_ratio,
                                       use_test_as_val = false, image_size = o.image_size, workers = o.workers,
                                       skip_bad_images = o.skip_bad_images, grey = o.grey }
  if o.split == "val" and not val then
    fail("%s: there is no validation set: the run was evaluated on the test images; use {split} test", o.dataset)
  end
  return ({ train = train, val = val, test = test })[o.split]
end

-- sets.open(o, folders) -> the images to evaluate on. o: dataset, data, split, is_asked_for (was the split given?),
-- image_size, workers, val_ratio, skip_bad_images, grey; folders: the names of the sets that are folders.
function sets.open(o, folders)
  local is_one_folder = folders[o.dataset] and (o.split == "test" or o.val_ratio == 0)
  return is_one_folder and open_folder(o) or open_pair(o)
end

-- sets.resize(net, set, options) -> the shorter side of a picture before the middle is cut out, as in the training.
function sets.resize(net, set, options)
  if net.crop > 0 then return net.resize end
  return options.eval_resize or numbers.round(set.shape[1] * 256 / 224)
end

return sets
