-- evaluation/sets.lua: the images that a network is evaluated on.
local core = require "icl.core"
local data = require "icl.data"
local fail = require "icl.internal.fail"
local numbers = require "icl.internal.numbers"

local sets = {}

local function is_folder(path)
  return core.list_folder(path) ~= nil
end

-- The folder with the classes of a part, "train", "val" or "test", of a folder of one's own.
local function part_of(path, part)
  for _, name in ipairs(part == "test" and { "test", "val" } or { part }) do
    if is_folder(path .. "/" .. name) then return path .. "/" .. name end
  end
  return path
end

local function open_folder(o)
  if not o.data or o.data == "" then fail("%s: it needs {data} DIR", o.dataset) end
  return data.folder(part_of(o.data, o.split), { image_size = o.image_size, name = o.dataset, workers = o.workers,
                                                 skip_bad_images = o.skip_bad_images, grey = o.grey })
end

local function open_memory(o)
  local train, val, test = data.open { dataset = o.dataset, data = o.data, val_ratio = o.val_ratio,
                                       use_test_as_val = o.split ~= "val" }
  if o.split == "val" and not val then
    fail("%s: there is no validation set: the run was evaluated on the test images; use {split} test", o.dataset)
  end
  return ({ train = train, val = val, test = test })[o.split]
end

-- sets.open(o, folders) -> the images to evaluate on. o: dataset, data, split, image_size, workers, val_ratio,
-- skip_bad_images, grey; folders: the names of the sets that are folders.
function sets.open(o, folders)
  return folders[o.dataset] and open_folder(o) or open_memory(o)
end

-- sets.resize(net, set, options) -> the shorter side of a picture before the middle is cut out, as in the training.
function sets.resize(net, set, options)
  if net.crop > 0 then return net.resize end
  return options.eval_resize or numbers.round(set.shape[1] * 256 / 224)
end

return sets
