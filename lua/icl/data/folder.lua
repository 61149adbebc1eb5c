-- data/folder.lua: image folders as sets. Their images are decoded on threads, a few batches ahead; the rest of a chain
-- is the same as for a set in memory.
--
-- A set has folder, labels, count, classes, class_names, shape, mean, std, name, and the form of models that is meant
-- for such images; see data/init.lua.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local numbers = require "icl.internal.numbers"
local statistics = require "icl.data.statistics"

local folder = {}

-- Of ImageNet, for bytes divided by 255; for grey images the means over the channels.
local mean, std = { 0.485, 0.456, 0.406 }, { 0.229, 0.224, 0.225 }
local grey_mean, grey_std = { 0.449 }, { 0.226 }

folder.missing = "needs {data} DIR; images lie in DIR/train/CLASS/NAME.jpg and DIR/val/CLASS/NAME.jpg"

-- icl.data.folder(path [, options]) -> the set of a folder that has a folder for each class. Options: image_size = 224:
-- images come out that large, see augment.random_resized_crop and augment.center_crop; workers = 0: threads that
-- decode, 0 is one for each core; grey = false: images of one channel; mean, std: of red, green and blue, or of grey,
-- those of ImageNet unless given; name = "folder"; skip_bad_images = false: leave out images that cannot be read,
-- instead of an error that names them. The set says then how many (bad) and which the first were (report); skipped is
-- how many entries were left out by their names.
function folder.open(path, given)
  local options = arguments.options("icl.data.folder", given,
    { image_size = 224, workers = 0, name = "folder", skip_bad_images = false, grey = false }, { "mean", "std" })
  arguments.path("icl.data.folder", path)
  local size = arguments.integer("icl.data.folder: image_size", options.image_size, 1)
  local workers = arguments.integer("icl.data.folder: workers", options.workers, 0)
  local skip = options.skip_bad_images
  local files, set = core.image_folder(path, { check = true, drop = skip, threads = workers })
  if set.bad > 0 and not skip then
    fail("%s: %d of %d images cannot be read:\n%s", path, set.bad, set.count, set.report)
  end
  local channels = options.grey and 1 or 3
  set.folder, set.name, set.form, set.shape = files, options.name, "imagenet", { size, size, channels }
  set.workers, set.grey = workers, options.grey
  local usual = options.grey and { mean = grey_mean, std = grey_std } or { mean = mean, std = std }
  for name, values in pairs(usual) do
    set[name] = arguments.channels("icl.data.folder: " .. name, options[name] or values, channels,
      name == "std")
  end
  return set
end

-- folder.eval_resize(options, set) -> what the shorter side of an image is brought to before evaluation cuts the middle
-- out.
function folder.eval_resize(options, set)
  return options.eval_resize or numbers.round(set.shape[1] * 256 / 224)
end

-- Sets are normalised with the statistics of the first one.
local function normalize_own(options, train, val)
  local mean, std = statistics.of(train, folder.eval_resize(options, train), function()
    io.stderr:write(("measuring mean and deviation of %d images; they are kept for later runs\n"):format(train.count))
  end)
  for c, deviation in ipairs(std) do
    if deviation == 0 then fail("{normalize} own: channel %d is the same in all images", c) end
  end
  for _, set in ipairs { train, val } do set.mean, set.std = mean, std end
end

-- folder.pair(options) -> training and validation set of the folder options.data, with options.image_size, workers,
-- skip_bad_images, and normalize; for normalize = "own" eval_resize matters too.
function folder.pair(options)
  local path = options.data
  local own = { image_size = options.image_size, workers = options.workers, name = options.dataset,
                skip_bad_images = options.skip_bad_images, grey = options.grey }
  if not path or path == "" then fail("%s: it " .. folder.missing, options.dataset) end
  local train, val = folder.open(path .. "/train", own), folder.open(path .. "/val", own)
  core.image_folder_compare(train.folder, val.folder)
  if options.normalize == "own" then normalize_own(options, train, val) end
  return train, val
end

-- folder.stream(loader, order, epoch, batch_size) -> the decoded images of these numbers or ids (data/order.lua), batch
-- by batch: stream:next() and stream:close().
function folder.stream(loader, order, epoch, batch_size)
  local set, options = loader.set, loader.decoder:decoding(epoch or 0)
  options.repeated = loader.repeats > 1 or loader.sums ~= nil
  options.size, options.batch, options.threads = set.shape[1], batch_size, set.workers
  return core.image_stream(set.folder, order, options)
end

return folder
