-- data: image sets, and loaders that hand them out in batches.
--
-- A set is a table: images u8 (n, h, w, c), labels i64 (n) from 0, count, shape { h, w, c }, classes, class_names,
-- mean and std (of each channel, for bytes divided by 255), name. An image folder has `folder` in place of images, see
-- data/folder.lua. A part of a set has `indices`, the numbers of its images; the one that data.open keeps for
-- validation has is_validation.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local concat = require "icl.data.concat"
local datasets = require "icl.internal.datasets"
local fail = require "icl.internal.fail"
local folder = require "icl.data.folder"
local loader = require "icl.data.loader"
local sets = require "icl.data.sets"
local usage = require "icl.internal.usage"

local data = {
  set = sets.set, generate = sets.generate, concat = concat, part = sets.part, split = sets.split,
  folder = folder.open, loader = loader,
}

local function read_pair(options)
  if datasets.folders[options.dataset] then return folder.pair(options) end
  local path = options.data ~= "" and options.data or nil
  return sets.set(core.data_open(options.dataset, path, "train")),
    sets.set(core.data_open(options.dataset, path, "test"))
end

-- Sets are normalised with what was given.
local function normalize(options, ...)
  for _, set in ipairs { ... } do
    for _, name in ipairs { "mean", "std" } do
      local values = options[name] or {}
      if #values ~= set.shape[3] then
        fail(("{%s} has %%d numbers; images of %%s have %%d channels"):format(name), #values, set.name, set.shape[3])
      end
      set[name] = values
    end
  end
end

local function open(options)
  if options.dataset == nil then fail "icl.data.open: dataset is missing: the name of a set, such as fashion_mnist" end
  local train, test = read_pair(options)
  if options.mean then normalize(options, train, test) end
  if options.use_test_as_val ~= false then return train, test, test end
  local ratio = options.val_ratio or 0
  if ratio == 0 then return train, nil, test end
  if math.floor(train.count * ratio) == 0 then
    fail("icl.data.open: {val_ratio} %g of %d images is none", ratio, train.count)
  end
  local most, rest = sets.split(train, ratio)
  rest.is_validation = true
  return most, rest, test
end

-- icl.data.fetch(name [, { data =, from = }]) -> the folder of a set, which is downloaded unless it is there already.
-- data: where it is put, by default the folder of the user that is searched first; from: the address of a folder with
-- the files of the set, in place of its publisher's.
function data.fetch(...)
  return require "icl.data.fetch".fetch(...)
end

-- icl.data.open(options) -> train, validation, test. Options, as the group icl.options.data gives them: dataset, data
-- (folder, "" for the standard places), image_size, workers, normalize, mean, std, use_test_as_val, val_ratio. With
-- use_test_as_val validation is the test set; otherwise it is a part of the training images, or nil if val_ratio is 0.
function data.open(options)
  arguments.typed("icl.data.open", options, "table", "a table of options")
  return usage.during(options, open, options)
end

return require "icl.internal.strict".module(data, "icl.data")
