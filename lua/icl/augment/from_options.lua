-- augment/from_options.lua: the chains that the options of a recipe ask for.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local datasets = require "icl.internal.datasets"
local folder = require "icl.data.folder"
local affine = require "icl.augment.affine"
local auto_augment = require "icl.augment.auto_augment"
local center_crop = require "icl.augment.center_crop"
local chain = require "icl.augment.chain"
local color_jitter = require "icl.augment.color_jitter"
local cutmix = require "icl.augment.cutmix"
local cutout = require "icl.augment.cutout"
local dual_cutout = require "icl.augment.dual_cutout"
local gaussian_blur = require "icl.augment.gaussian_blur"
local grayscale = require "icl.augment.grayscale"
local hflip = require "icl.augment.hflip"
local mixup = require "icl.augment.mixup"
local mixup_or_cutmix = require "icl.augment.mixup_or_cutmix"
local normalize = require "icl.augment.normalize"
local rand_augment = require "icl.augment.rand_augment"
local random_crop = require "icl.augment.random_crop"
local random_erasing = require "icl.augment.random_erasing"
local random_resized_crop = require "icl.augment.random_resized_crop"
local ricap = require "icl.augment.ricap"
local rotate = require "icl.augment.rotate"
local trivial_augment = require "icl.augment.trivial_augment"
local vflip = require "icl.augment.vflip"
local groups = require "icl.options.groups"
local stored_as = require "icl.internal.stored_as"
local usage = require "icl.internal.usage"

-- The stages between hflip and normalize in their order, and those behind it: the flag that asks for one, and what the
-- names of its options begin with, where that is not the flag.
local before_normalize = {
  { flag = "vflip", stage = vflip },
  { flag = "rotate", stage = rotate },
  { flag = "affine", stage = affine },
  { flag = "auto_augment", stage = auto_augment },
  { flag = "rand_augment", stage = rand_augment },
  { flag = "trivial_augment", stage = trivial_augment },
  { flag = "color_jitter", stage = color_jitter },
  { flag = "grayscale", stage = grayscale },
  { flag = "gaussian_blur", stage = gaussian_blur },
}

local behind_normalize = {
  { flag = "cutout", stage = cutout },
  { flag = "random_erasing", stage = random_erasing },
  { flag = "dual_cutout", stage = dual_cutout, prefix = "cutout_" },
  { flag = "mixup", stage = mixup },
  { flag = "cutmix", stage = cutmix },
  { flag = "ricap", stage = ricap },
  { flag = "mixup_or_cutmix", stage = mixup_or_cutmix },
}

local function training_chain(options, set)
  local problem = groups.augmentation:problem(options)
  if problem then fail("augmentation: %s", problem) end
  local stages, mirror = {}, options.hflip
  if mirror == nil then mirror = not datasets.not_mirrored[set.name] end
  local function add(stage, prefix)
    local made = stage(stage.options:select(options, prefix))
    local mismatch = made:problem(table.unpack(set.shape, 1, 2))
    if mismatch then fail("augmentation: " .. mismatch:gsub("{([%a_][%w_]*)}", "{" .. prefix .. "%1}")) end
    stages[#stages + 1] = made
  end
  if options.random_crop then add(set.folder and random_resized_crop or random_crop, "crop_") end
  local function add_chosen(list)
    for _, entry in ipairs(list) do
      if options[entry.flag] then add(entry.stage, entry.prefix or entry.flag .. "_") end
    end
  end
  if mirror then add(hflip, "hflip_") end
  add_chosen(before_normalize)
  stages[#stages + 1] = normalize { dtype = stored_as[options.precision] }
  add_chosen(behind_normalize)
  return chain(stages)
end

-- The chain without random stages.
local function evaluation_chain(options, set)
  local normalized = normalize { dtype = stored_as[options.precision] }
  if not set.folder then return chain { normalized } end
  return chain { center_crop { resize = folder.eval_resize(options, set) }, normalized }
end

-- icl.augment.from_options(options, set [, { training = false }]) -> the chain that options such as those of
-- icl.options.augmentation and .runtime ask for: for evaluation, or with the random stages for training.
local function from_options(options, set, how, ...)
  local what = "icl.augment.from_options"
  arguments.no_more(what, "options, a set and { training = }", ...)
  arguments.typed(what .. ": options", options, "table", "a table of options")
  arguments.typed(what .. ": set", set, "table", "a set")
  how = arguments.options(what, how, { training = false })
  return usage.during(options, how.training and training_chain or evaluation_chain, options, set)
end

return from_options
