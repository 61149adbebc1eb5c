-- data/concat.lua: several sets as one.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local parts = require "icl.tensor.parts"
local sets = require "icl.data.sets"

local what = "icl.data.concat"

-- Those of `names` that are not in `others`.
local function lacking(names, others)
  local there, list = {}, {}
  for _, name in ipairs(others) do there[name] = true end
  for _, name in ipairs(names) do
    if not there[name] then list[#list + 1] = name end
  end
  return table.concat(list, ", ")
end

-- An error unless the classes of set number i are those of the first one, where both have names.
local function check_classes(i, set, first)
  local own, names = set.class_names, first.class_names
  if not own or not names or table.concat(own, "\0") == table.concat(names, "\0") then return end
  local missing, more = lacking(names, own), lacking(own, names)
  if missing == "" and more == "" then
    fail("%s: set %d has the classes in another order: %s, in the first one %s", what, i, table.concat(own, ", "),
      table.concat(names, ", "))
  end
  local differences = {}
  if missing ~= "" then differences[1] = "it lacks " .. missing end
  if more ~= "" then differences[#differences + 1] = "it has besides " .. more end
  fail("%s: set %d has other classes than the first one: %s", what, i, table.concat(differences, "; "))
end

-- An error unless set number i fits the first one.
local function check_set(i, set, first)
  if type(set) ~= "table" or not set.count then
    fail("%s: item %d is %s; it must be a set", what, i, arguments.described(set))
  elseif not set.folder ~= not first.folder then
    fail("%s: set %d is %s, the first one is %s; they cannot be mixed", what, i,
      set.folder and "an image folder" or "in memory", first.folder and "an image folder" or "in memory")
  end
  check_classes(i, set, first)
  for k = 1, 3 do
    if set.shape[k] ~= first.shape[k] or set.classes ~= first.classes then
      fail("%s: set %d has images of (%s) in %d classes, the first one of (%s) in %d", what, i,
        table.concat(set.shape, ", "), set.classes, table.concat(first.shape, ", "), first.classes)
    end
  end
end

-- Images and labels of a set in memory, those of a part alone.
local function contents(set)
  if not set.indices then return set.images, set.labels end
  return core.ops.gather(set.images, set.indices), core.ops.gather(set.labels, set.indices)
end

local function in_memory(list, first)
  local images, labels = {}, {}
  for i, set in ipairs(list) do images[i], labels[i] = contents(set) end
  return sets.set { images = parts.concat(images, 1), labels = parts.concat(labels, 1), classes = first.classes,
                    class_names = first.class_names, mean = first.mean, std = first.std, name = first.name }
end

-- The whole folders one after another, and of them what the sets have.
local function of_folders(list, first)
  local folders, indices, before, all = {}, {}, 0, true
  for i, set in ipairs(list) do
    local whole = set.labels:size(1)
    folders[i], all = set.folder, all and not set.indices
    indices[i] = (set.indices or core.arange(whole)) + before
    before = before + whole
  end
  local files, set = core.image_folder_concat(folders)
  set.folder = files
  for _, name in ipairs { "name", "form", "shape", "workers", "grey", "mean", "std" } do set[name] = first[name] end
  return all and set or sets.part(set, parts.concat(indices, 1))
end

-- icl.data.concat { set, set, ... } -> all of their images as one set, with the statistics and options of the first.
-- All are in memory or all are image folders, of one shape and with the same classes.
local function concat(list, ...)
  arguments.no_more(what, "one list of sets", ...)
  local first = arguments.typed(what, list, "table", "a list of sets")[1]
  if not first then fail("%s: it takes a list of sets", what) end
  for i, set in ipairs(list) do check_set(i, set, first) end
  return (first.folder and of_folders or in_memory)(list, first)
end

return concat
