-- data/folder.lua: image folders as sets. Their images are decoded on threads, a few batches ahead; the rest of a chain
-- is the same as for a set in memory.
--
-- A set has folder, labels, count, classes, class_names, shape, mean, std, name, and the form of models that is meant
-- for such images; see data/init.lua.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"

local folder = {}

-- Of ImageNet, for bytes divided by 255.
local mean, std = { 0.485, 0.456, 0.406 }, { 0.229, 0.224, 0.225 }

folder.missing = "needs --data DIR; images lie in DIR/train/CLASS/NAME.jpg and DIR/val/CLASS/NAME.jpg"

-- icl.data.folder(path [, options]) -> the set of a folder that has a folder for each class. Options: image_size = 224:
-- images come out that large, see augment.random_resized_crop and augment.center_crop; workers = 0: threads that
-- decode, 0 is one for each core; mean, std: of red, green and blue, those of ImageNet unless given.
function folder.open(path, given)
  local options = arguments.options("icl.data.folder", given,
    { image_size = 224, workers = 0, mean = mean, std = std })
  arguments.path("icl.data.folder", path)
  local size = arguments.integer("icl.data.folder: image_size", options.image_size, 1)
  local files, set = core.image_folder(path)
  set.folder, set.name, set.form, set.shape = files, "imagenet", "imagenet", { size, size, 3 }
  set.workers = arguments.integer("icl.data.folder: workers", options.workers, 0)
  for _, name in ipairs { "mean", "std" } do
    set[name] = arguments.channels("icl.data.folder: " .. name, options[name], 3)
  end
  return set
end

-- A name that is in the list a, but not in b; or nil.
local function lacking(a, b)
  local known = {}
  for _, name in ipairs(b) do known[name] = true end
  for _, name in ipairs(a) do
    if not known[name] then return name end
  end
end

-- folder.pair(options) -> training and validation set of the folder options.data, with options.image_size and workers.
function folder.pair(options)
  local path, own = options.data, { image_size = options.image_size, workers = options.workers }
  if not path or path == "" then fail("imagenet: it %s", folder.missing) end
  local train, val = folder.open(path .. "/train", own), folder.open(path .. "/val", own)
  local function compare(a, b, name_a, name_b)
    local name = lacking(a.class_names, b.class_names)
    if name then fail("%s: class %s is in %s, but not in %s; both need the same", path, name, name_a, name_b) end
  end
  compare(train, val, "train", "val")
  compare(val, train, "val", "train")
  return train, val
end

-- folder.stream(loader, order, epoch, batch_size) -> the decoded images of these numbers, batch by batch: stream:next()
-- and stream:close().
function folder.stream(loader, order, epoch, batch_size)
  local set, options = loader.set, loader.decoder:decoding(epoch or 0)
  options.size, options.batch, options.threads = set.shape[1], batch_size, set.workers
  return core.image_stream(set.folder, order, options)
end

return folder
