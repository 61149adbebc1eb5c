-- data/inspect.lua: what can be said of the images that options name, for `icl data`.
local core = require "icl.core"
local datasets = require "icl.internal.datasets"
local folder = require "icl.data.folder"
local pad = require "icl.internal.pad"
local sets = require "icl.data.sets"
local statistics = require "icl.data.statistics"

local inspect = {}

function inspect.is_folder(path)
  local file <close> = io.open(path .. "/.")
  return file ~= nil
end

-- The parts of an image folder: DIR/train and DIR/val, or DIR alone where it holds the classes itself.
local function folder_parts(options)
  local list = {}
  for _, name in ipairs { "train", "val" } do
    local path = options.data .. "/" .. name
    if inspect.is_folder(path) then list[#list + 1] = { name = name, path = path } end
  end
  return #list > 0 and list or { { name = "images", path = options.data } }
end

local function open_folder(options, path)
  return folder.open(path, { image_size = options.image_size, workers = options.workers,
                             skip_bad_images = options.skip_bad_images, grey = options.grey })
end

-- inspect.statistics(options) -> mean, std of the training images, and how many these are.
function inspect.statistics(options)
  if not datasets.folders[options.dataset] then
    local path = options.data ~= "" and options.data or nil
    local set = sets.set(core.data_open(options.dataset, path, "train"))
    local mean, std = statistics.of(set)
    return mean, std, set.count
  end
  local set = open_folder(options, folder_parts(options)[1].path)
  local mean, std = statistics.of(set, folder.eval_resize(options, set))
  return mean, std, set.count
end

-- ---- lines of text ----

-- The classes of a set with the images of each.
local function class_lines(set)
  local counts, lines, width = {}, {}, 0
  for _, label in ipairs(set.labels:totable()) do counts[label + 1] = (counts[label + 1] or 0) + 1 end
  for i = 1, set.classes do
    local name = set.class_names and set.class_names[i] or tostring(i - 1)
    width = math.max(width, pad.width(name))
    lines[i] = { name, counts[i] or 0 }
  end
  for i, line in ipairs(lines) do
    lines[i] = ("  %s  %d"):format(pad.right(core.printable(line[1]), width), line[2])
  end
  return lines
end

local function add_part(lines, name, path, set, shape)
  lines[#lines + 1] = ("%s: %d images%s, %d classes, in %s"):format(name, set.count, shape, set.classes, path)
  if (set.skipped or 0) > 0 then lines[#lines + 1] = ("  left out by name: %d"):format(set.skipped) end
  if (set.bad or 0) > 0 then lines[#lines + 1] = ("  cannot be read: %d\n%s"):format(set.bad, set.report) end
end

-- inspect.lines(options) -> what the parts of a set hold, and the classes of the first with their images; a list of
-- lines. Images of a folder that cannot be read are listed.
function inspect.lines(options)
  local lines, first = {}, nil
  if datasets.folders[options.dataset] then
    for _, part in ipairs(folder_parts(options)) do
      local _, set = core.image_folder(part.path, { check = true, drop = false, threads = options.workers })
      first = first or set
      add_part(lines, part.name, part.path, set, "")
    end
  else
    local path = options.data ~= "" and options.data or nil
    for _, name in ipairs { "train", "test" } do
      local set = sets.set(core.data_open(options.dataset, path, name))
      first = first or set
      add_part(lines, name, core.data_find(options.dataset, path) or path, set,
        " of " .. table.concat(set.shape, " x "))
    end
  end
  table.move(class_lines(first), 1, first.classes, #lines + 1, lines)
  return lines
end

return inspect
