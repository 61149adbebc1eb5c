-- show: contact sheets of what a training sees: augmented images with class names and weights.
local arguments = require "icl.internal.arguments"
local augment = require "icl.augment"
local condition = require "icl.options.condition"
local core = require "icl.core"
local data = require "icl.data"
local exists = require "icl.internal.exists"
local fail = require "icl.internal.fail"
local groups = require "icl.options"
local image = require "icl.image"
local numbers = require "icl.internal.numbers"
local places = require "icl.internal.places"
local samples = require "icl.show.samples"
local sheet = require "icl.show.sheet"

local show = {}

local function name_of(set, class)
  return set.class_names and set.class_names[class + 1] or ("class %d"):format(class)
end

-- The labels of a sample as texts: "cat", or "0.73 cat".
local function labels_of(set, sample)
  local texts = {}
  for i, label in ipairs(sample.labels) do
    local name, weight = name_of(set, label[1]), label[2]
    texts[i] = #sample.labels == 1 and name or numbers.format("%.2f %s", weight, name)
  end
  return texts
end

-- The samples of a list as cells of a sheet; with `original` the image as it is in the set comes first.
local function cells_of(set, list, original)
  local cells = {}
  for i, sample in ipairs(list) do
    local pictures = original and { samples.original(set, sample.number) } or {}
    for _, picture in ipairs(sample.pictures) do pictures[#pictures + 1] = picture end
    cells[i] = { pictures = pictures, lines = { ("#%d"):format(sample.number), table.unpack(labels_of(set, sample)) } }
  end
  return cells
end

-- icl.show.picture(batch [, count = 16]) -> the first images of a batch of a loader with their labels, as a sheet: u8
-- (height, width, 3).
function show.picture(batch, count, ...)
  arguments.no_more("icl.show.picture", "a batch and a count", ...)
  arguments.typed("icl.show.picture", batch, "table", "a batch of a loader")
  count = arguments.integer("icl.show.picture: count", count or 16, 1)
  local positions = {}
  for i = 1, math.min(count, batch:size()) do positions[i] = i end
  local list = samples.of_batch(batch, positions)
  return sheet.draw(cells_of(batch.set, list), batch.set.name or "own")
end

-- A line for people about a sample.
local function line_of(set, sample)
  local text = ("#%d %s"):format(sample.number, table.concat(labels_of(set, sample), " + "))
  if set.folder then text = ("%s  %s"):format(text, set.folder:file(sample.number)) end
  return core.printable(text)
end

-- What the heading says about the images.
local function title_of(set, o)
  local words = {}
  for _, name in ipairs { "cutout", "dual_cutout", "random_erasing", "mixup", "cutmix", "ricap" } do
    if o[name] then words[#words + 1] = name:gsub("_", "-") end
  end
  local what = o.evaluation and "as evaluated" or ("epoch %d, seed %d"):format(o.epoch, places.current_seed())
  if not o.evaluation and #words > 0 then what = what .. ", " .. table.concat(words, ", ") end
  return ("%s: %s"):format(set.name or "own", what)
end

local function loader_of(set, o)
  if o.evaluation then
    return data.loader(set, { batch_size = o.eval_batch_size, chain = augment.from_options(o, set) })
  end
  return data.loader(set, { batch_size = o.batch_size, global_batch_size = o.global_batch_size, training = true,
                            drop_last = o.drop_last, mix_with = o.mix_with,
                            balanced = o.balanced, repeats = o.repeats,
                            chain = augment.from_options(o, set, { training = true }) })
end

-- A path for the sheet: the one that was asked for, which must be free, or the first free one of show.png, show-1.png.
local function free_path(out)
  if out then
    if not out:lower():match "%.png$" then fail("{out} %s: PNG is written; the name must end in .png", out) end
    if exists(out) then fail("{out} %s: the file exists; give another name or remove it", out) end
    return out
  end
  local path, number = "show.png", 0
  while exists(path) do
    number = number + 1
    path = ("show-%d.png"):format(number)
  end
  return path
end

-- What `icl show` does with its options -> the path of the sheet, and a line about each of its samples.
function show.write(o)
  local path = free_path(o.out)
  local train, validation, test = data.open(o)
  local set = o.evaluation and (validation or test) or train
  local mixed = not o.evaluation and condition.holds(groups.augmentation.specs.mix_with.only[1], o)
  local list = samples.read(loader_of(set, o), o.epoch, { numbers = o.sample, count = o.count, mixed = mixed })
  image.save(path, sheet.draw(cells_of(set, list, o.original), title_of(set, o)))
  local lines = {}
  for i, sample in ipairs(list) do lines[i] = line_of(set, sample) end
  return path, lines
end

return show
