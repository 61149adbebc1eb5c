-- data/sets.lua: sets of images in memory, and parts of any set.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local places = require "icl.internal.places"

local sets = {}

-- An error unless every label is a class.
local function check_labels(labels, classes)
  for i, label in ipairs(labels:totable()) do
    if label < 0 or label >= classes then
      fail("icl.data.set: image %d has the label %d; with %d classes labels are from 0 to %d", i, label, classes,
        classes - 1)
    end
  end
end

-- An error unless the names are those of the classes, which files and tables tell apart by them.
local function check_class_names(names, classes)
  local seen = {}
  for i, name in ipairs(arguments.class_names("icl.data.set: class_names", names, classes)) do
    if not utf8.len(name) then fail("icl.data.set: class_names: name %d is not UTF-8", i) end
    if seen[name] then fail("icl.data.set: class_names: '%s' is there twice", name) end
    seen[name] = true
  end
end

-- icl.data.set { images =, labels =, classes =, mean =, std = [, name =, class_names =] } -> a set from tensors of
-- one's own; class_names: a list of texts that differ, one for each class.
function sets.set(given)
  local set = arguments.options("icl.data.set", given, { name = "own" },
    { "images", "labels", "classes", "class_names", "mean", "std" })
  for _, name in ipairs { "images", "labels" } do arguments.tensor("icl.data.set: " .. name, set[name]) end
  local shape, labels = set.images:shape(), set.labels:shape()
  if #shape ~= 4 or set.images:dtype() ~= "u8" then fail "icl.data.set: images must be u8 of shape (n, h, w, c)" end
  if #labels ~= 1 or labels[1] ~= shape[1] or set.labels:dtype() ~= "i64" then
    fail("icl.data.set: labels must be i64 of shape (%d), one for each image", shape[1])
  end
  set.classes = arguments.size("icl.data.set: classes", set.classes)
  check_labels(set.labels, set.classes)
  if set.class_names ~= nil then check_class_names(set.class_names, set.classes) end
  arguments.channels("icl.data.set: mean", set.mean, shape[4])
  arguments.channels("icl.data.set: std", set.std, shape[4], true)
  set.count, set.shape = shape[1], { shape[2], shape[3], shape[4] }
  return set
end

-- icl.data.generate(count, f, options) -> a set of the images and labels that f(i) returns for i from 1 to count: an
-- image, u8 (h, w, c), the same size for all, and a label from 0. They are made at once and kept in memory. Options are
-- those of icl.data.set besides images and labels.
function sets.generate(count, f, options)
  local what = "icl.data.generate"
  arguments.integer(what .. ": count", count, 1)
  arguments.typed(what, f, "function", "a count and a function(i) -> image, label")
  local bytes, labels, shape = {}, {}, nil
  for i = 1, count do
    local image, label = f(i)
    arguments.tensor(("%s: image %d"):format(what, i), image)
    local own = image:shape()
    if #own ~= 3 or image:dtype() ~= "u8" then
      fail("%s: image %d is %s of %d axes; it must be u8 (h, w, c)", what, i, image:dtype(), #own)
    elseif shape and not (own[1] == shape[1] and own[2] == shape[2] and own[3] == shape[3]) then
      fail("%s: image %d is (%s), the first one is (%s)", what, i, table.concat(own, ", "), table.concat(shape, ", "))
    end
    shape = shape or own
    bytes[i], labels[i] = image:bytes(), arguments.integer(("%s: label %d"):format(what, i), label, 0)
  end
  local set = {}
  for name, value in pairs(arguments.typed(what, options, "table", "a table of options behind the function")) do
    set[name] = value
  end
  set.images = core.new_tensor(table.concat(bytes), "u8", { count, shape[1], shape[2], shape[3] })
  set.labels = core.new_tensor(labels, "i64")
  return sets.set(set)
end

-- icl.data.part(set, indices): the images whose numbers are in `indices`, i64 (n), which count from 0.
function sets.part(set, indices, ...)
  local what = "icl.data.part"
  arguments.no_more(what, "a set and indices", ...)
  arguments.typed(what, set, "table", "a set")
  if not set.count then fail("%s: this table is no set of images", what) end
  arguments.tensor(what .. ": indices", indices)
  if indices:dtype() ~= "i64" or indices:rank() ~= 1 then
    fail("%s: indices are %s (%s); they must be i64 (n)", what, indices:dtype(), table.concat(indices:shape(), ", "))
  elseif indices:size(1) > 0 and (indices:min():item() < 0 or indices:max():item() >= set.count) then
    fail("%s: indices are from %d to %d; the set has %d images, which count from 0", what, indices:min():item(),
      indices:max():item(), set.count)
  end
  if set.indices then indices = core.ops.gather(set.indices, indices) end
  return setmetatable({ indices = indices, count = indices:size(1) }, { __index = set })
end

-- icl.data.split(set, ratio) -> most of the set, the rest: floor(count * ratio) images chosen by the seed.
function sets.split(set, ratio)
  arguments.typed("icl.data.split", set, "table", "a set")
  if arguments.number("icl.data.split: ratio", ratio, 0) > 1 then
    fail("icl.data.split: ratio is %s; it must be from 0 to 1", ratio)
  end
  local rest = math.floor(set.count * ratio)
  local order = core.permutation(places.words(("split#%d"):format(places.ordinal "split")), set.count)
  local function range(first, length) return sets.part(set, order:narrow(1, first, length)) end
  return range(1, set.count - rest), range(set.count - rest + 1, rest)
end

return sets
