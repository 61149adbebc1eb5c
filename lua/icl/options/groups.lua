-- options/groups.lua: the options that many recipes share, as groups for :include.
local core = require "icl.core"
local affine = require "icl.augment.affine"
local auto_augment = require "icl.augment.auto_augment"
local color_jitter = require "icl.augment.color_jitter"
local cutmix = require "icl.augment.cutmix"
local cutout = require "icl.augment.cutout"
local gaussian_blur = require "icl.augment.gaussian_blur"
local grayscale = require "icl.augment.grayscale"
local hflip = require "icl.augment.hflip"
local mixup = require "icl.augment.mixup"
local mixup_or_cutmix = require "icl.augment.mixup_or_cutmix"
local rand_augment = require "icl.augment.rand_augment"
local random_crop = require "icl.augment.random_crop"
local random_erasing = require "icl.augment.random_erasing"
local random_resized_crop = require "icl.augment.random_resized_crop"
local ricap = require "icl.augment.ricap"
local rotate = require "icl.augment.rotate"
local trivial_augment = require "icl.augment.trivial_augment"
local vflip = require "icl.augment.vflip"
local views = require "icl.internal.views"
local datasets = require "icl.internal.datasets"
local distributed = require "icl.distributed"
local folder = require "icl.data.folder"
local options = require "icl.options.list"
local optimizers = require "icl.optim.from_options".names
local random = require "icl.random"
local rules = require "icl.internal.rules"
local usage = require "icl.internal.usage"
local sampler = require "icl.data.sampler"
local schedule = require "icl.schedule"
local stored_as = require "icl.internal.stored_as"
local tracked = require "icl.internal.tracked"

local groups = {}

local in_folder = { dataset = { "imagenet", "folder" } }

groups.data = options "data"
  : choice("dataset", "fashion_mnist", datasets.names,
      "the images; folder: one's own, DIR/train/CLASS/NAME.jpg and DIR/val/CLASS/NAME.jpg; imagenet lies so too")
  : value("data", "", "folder of the data set; otherwise the standard folders are searched",
      { type = "path", may_change = true, neutral = true })
  : value("image_size", 224, "pixels of a side of an image", { min = 1, max = 16384, only = in_folder })
  : flag("grey", false, "images of one channel", { only = in_folder })
  : value("eval_resize", nil,
      "the shorter side before the middle is cut out; 0: as it is (default: 256 / 224 of image_size, rounded)",
      { type = "integer", min = 0, max = 16384, only = in_folder })
  : choice("normalize", "imagenet", { "imagenet", "own" },
      "mean and deviation that channels are normalised with: those of ImageNet, or of one's own training images, which "
      .. "are measured once; `icl data stats` shows them", { only = in_folder })
  : value("mean", nil, "mean of each channel, of values from 0 to 1, in place of that", { type = "list" })
  : value("std", nil, "standard deviation of each channel", { type = "list", min = 1e-6 })
  : value("workers", 0, "threads that decode; 0: one for each core",
      { min = 0, max = 1024, only = in_folder, may_change = true, neutral = true })
  : flag("skip_bad_images", false,
      "go on without files that are no pictures or were cut off, after their names were printed; one that is damaged in "
      .. "its middle ends the training", { only = in_folder })
  : value("batch_size", 128, "images a step; of several processes each has as many",
      { min = 1, alias = "batch",
        only = { "no {global_batch_size}", function(values) return values.global_batch_size == nil end } })
  : value("global_batch_size", nil, "images a step of all processes together, in place of that",
      { type = "integer", min = 1 })
  : value("eval_batch_size", 256, "images a step of evaluation", { min = 1, may_change = true, neutral = true })
  : flag("drop_last", true, "leave out a last smaller batch in training")
  : flag("balanced", false, "draw the images of an epoch so that all classes are as frequent")
  : value("repeats", 1, "how often an image comes in an epoch, of fewer images (Hoffer et al. 2020)", { min = 1 })
  : flag("use_test_as_val", true,
      "evaluate on the test images after each epoch; off: on a part of the training images, on the test images at last")
  : value("val_ratio", 0.0, "that part, as a fraction", { min = 0, max = 0.999, only = { use_test_as_val = false } })
  : check(function(values)
      if datasets.folders[values.dataset] and values.data == "" then
        return ("{dataset} %s %s"):format(values.dataset, folder.missing)
      end
    end)
  : check(function(values)
      local mean, std = values.mean, values.std
      if not mean ~= not std then return "{mean} and {std} go together" end
      if mean and values.normalize == "own" then
        return "{normalize} own measures what {mean} and {std} give; leave one out"
      end
    end)
  : check(function(values)
      if values.use_test_as_val == false and values.val_ratio == 0 then
        return "without {use_test_as_val}, {val_ratio} must say which part of the training images to evaluate on"
      end
    end)

-- The names among `list` that are switched on.
local function chosen(values, list)
  local names = {}
  for _, name in ipairs(list) do
    if values[name] then names[#names + 1] = "{" .. name .. "}" end
  end
  return names
end

-- A batch is mixed in one way, and two views of an image are not mixed.
local function check_mixing(values)
  local names = chosen(values, { "dual_cutout", "mixup", "cutmix", "ricap", "mixup_or_cutmix" })
  if #names > 1 then return ("%s exclude each other; choose one"):format(table.concat(names, " and ")) end
end

-- A policy is one of those that were searched for, drawn at random, or drawn with its strength.
local function check_policies(values)
  local names = chosen(values, { "auto_augment", "rand_augment", "trivial_augment" })
  if #names > 1 then return ("%s exclude each other; choose one"):format(table.concat(names, " and ")) end
end

local function is_mirrored(values)
  return values.hflip or values.hflip == nil and not datasets.not_mirrored[values.dataset]
end

groups.augmentation = options "augmentation"
  : flag("random_crop", true, "crop at random from the padded image; image folders: a random part, resized")
  : add(random_crop.options, "crop_", { "{random_crop} of a set that is no image folder", function(values)
      return values.random_crop and not datasets.folders[values.dataset]
    end })
  : add(random_resized_crop.options, "crop_", { "{random_crop} of an image folder", function(values)
      return values.random_crop and datasets.folders[values.dataset or "folder"]
    end })
  : flag("hflip", nil, "mirror images left to right; by default not the digits of mnist and kmnist")
  : add(hflip.options, "hflip_", { "{hflip}", is_mirrored })
  : flag("vflip", false, "mirror images top to bottom")
  : add(vflip.options, "vflip_", { vflip = true })
  : flag("rotate", false, "turn each image by a random angle")
  : add(rotate.options, "rotate_", { rotate = true })
  : flag("affine", false, "turn, move, scale and shear each image at random")
  : add(affine.options, "affine_", { affine = true })
  : flag("auto_augment", false, "one of 25 searched pairs of operations (Cubuk et al. 2019)")
  : add(auto_augment.options, "auto_augment_", { auto_augment = true })
  : flag("rand_augment", false, "some of 14 operations, of one strength (Cubuk et al. 2020)")
  : add(rand_augment.options, "rand_augment_", { rand_augment = true })
  : flag("trivial_augment", false, "one of 14 operations, of any strength (Mueller and Hutter 2021)")
  : add(trivial_augment.options, "trivial_augment_", { trivial_augment = true })
  : flag("color_jitter", false, "change brightness, contrast, saturation and hue at random")
  : add(color_jitter.options, "color_jitter_", { color_jitter = true })
  : flag("grayscale", false, "make some images grey")
  : add(grayscale.options, "grayscale_", { grayscale = true })
  : flag("gaussian_blur", false, "blur each image")
  : add(gaussian_blur.options, "gaussian_blur_", { gaussian_blur = true })
  : flag("cutout", false, "fill a square of each image (DeVries and Taylor 2017)")
  : add(cutout.options, "cutout_", { { cutout = true }, { dual_cutout = true } })
  : flag("dual_cutout", false, "train on two views of each image, with a cutout each")
  : value("dual_cutout_alpha", 0.1, "weight of the squared difference of their logits",
      { min = 0, only = { dual_cutout = true } })
  : flag("random_erasing", false, "fill a rectangle of some images (Zhong et al. 2020)")
  : add(random_erasing.options, "random_erasing_", { random_erasing = true })
  : flag("mixup", false, "blend pairs of images (Zhang et al. 2018)")
  : add(mixup.options, "mixup_", { mixup = true })
  : flag("cutmix", false, "replace a rectangle by that of another image (Yun et al. 2019)")
  : add(cutmix.options, "cutmix_", { cutmix = true })
  : flag("ricap", false, "patch four images together (Takahashi et al. 2018)")
  : add(ricap.options, "ricap_", { ricap = true })
  : flag("mixup_or_cutmix", false, "one of these two, drawn for each batch")
  : add(mixup_or_cutmix.options, "mixup_or_cutmix_", { mixup_or_cutmix = true })
  : choice("mix_with", "process", sampler.mixes,
      "where the others come from that images are mixed with: the part of the batch that is their process's; the batch "
      .. "of all processes; the part of it that is computed at a time, of --subdivision",
      { only = { { mixup = true }, { cutmix = true }, { ricap = true }, { mixup_or_cutmix = true } } })
  : value("label_smoothing", 0.0, "share of the target spread over all classes", { min = 0, max = 1 })
  : check(check_mixing)
  : check(check_policies)

-- Milestones keep their places relative to the epochs they were meant for.
local function move_milestones(values, given, base)
  if values.schedule ~= "multistep" or given.milestones or values.epochs == base.epochs then return end
  values.milestones = {}
  for i, milestone in ipairs(base.milestones) do
    local moved = milestone * values.epochs / base.epochs
    values.milestones[i] = math.tointeger(moved) or moved
  end
  return ("milestones at %s of %d epochs, moved from %s of %d"):format(rules.shown(values.milestones), values.epochs,
    rules.shown(base.milestones), base.epochs)
end

local one_cycle, waits = { schedule = "one_cycle" }, { schedule = "plateau" }
local warmed = { warmup = { "linear", "exponential" } }
local adaptive = { optimizer = { "adam", "adamw", "nadam", "amsgrad", "adabound", "adaboundw", "lamb", "muon" } }
local bounded = { optimizer = { "adabound", "adaboundw" } }

-- Without a type a warm-up has no length, but published schedules are shorter by it all the same.
local has_length = { "{warmup} linear or exponential", function(values)
  return values.warmup ~= "none" or values.as_published
end }
local has_epochs = { "{warmup_epochs}", function(values)
  return values.warmup == "none" or values.warmup_epochs > 0
end }
local decays = { "a {weight_decay} above 0", function(values) return values.weight_decay ~= 0 end }

local sharpness_aware = { "a {sam_rho} above 0", function(values) return values.sam_rho > 0 end }
local looks_ahead = { "{lookahead} above 0", function(values) return values.lookahead > 0 end }
local starts_from_weights = { "{weights}", function(values) return values.weights ~= nil end }
local averaged = { "an {ema} above 0", function(values) return values.ema > 0 end }

groups.training = options "training"
  : value("epochs", 160, "passes over the training images", { min = 1, may_change = true })
  : value("base_lr", 0.1, "learning rate before the schedule's factor", { min = 0, alias = "lr" })
  : value("scale_lr", nil, "images of a batch that base_lr is meant for: the rate is base_lr times the images of a "
      .. "batch of all processes over this (Goyal et al. 2017)", { type = "integer", min = 1 })
  : choice("schedule", "multistep", schedule.types, "how the rate changes")
  : value("milestones", { 80, 120 },
      "epochs after the warm-up at which it drops; not given, they move in proportion when --epochs is",
      { min = 0, only = { schedule = "multistep" } })
  : value("lr_decay", 0.1, "factor of a drop", { min = 0, only = { schedule = { "multistep", "plateau" } } })
  : value("lr_min_factor", 0.001, "last rate relative to the first; plateau: the smallest one",
      { min = 0, only = { schedule = { "linear", "cosine", "sgdr", "cosine_restarts", "polynomial", "plateau" } } })
  : value("lr_power", 1.0, "exponent of the polynomial", { min = 0, only = { schedule = "polynomial" } })
  : value("lr_gamma", 0.95, "factor of the rate in each epoch", { min = 0, only = { schedule = "exponential" } })
  : value("restart_steps", 1000, "updates of the first cycle", { min = 1, only = { schedule = "cosine_restarts" } })
  : value("one_cycle_pct_start", 0.3, "part of the epochs in which the rate rises to base_lr",
      { min = 0, max = 1, only = one_cycle })
  : value("one_cycle_div_factor", 25.0, "it begins at base_lr divided by this", { min = 1, only = one_cycle })
  : value("one_cycle_final_div_factor", 1e4, "and ends at that divided by this", { min = 1, only = one_cycle })
  : flag("one_cycle_three_phase", false, "fall as long as it rose, then to the end", { only = one_cycle })
  : choice("one_cycle_anneal", "cos", { "cos", "linear" }, "the form of its rise and fall", { only = one_cycle })
  : choice("plateau_figure", "loss", { "loss", "top1" },
      "what must get better, of the set that is evaluated after each epoch, or in training where there is none",
      { only = waits })
  : value("plateau_patience", 10, "evaluations in a row that may be no better before the rate drops",
      { min = 0, only = waits })
  : value("plateau_threshold", 1e-4, "how much better counts, relative to the best", { min = 0, only = waits })
  : value("plateau_cooldown", 0, "evaluations after a drop that do not count", { min = 0, only = waits })
  : value("T0", 10, "epochs of the first cycle", { min = 1, only = { schedule = "sgdr" } })
  : value("T_mul", 1.0, "growth from cycle to cycle", { min = 0, only = { schedule = { "sgdr", "cosine_restarts" } } })
  : choice("warmup", "none", { "none", "linear", "exponential" }, "rise of the rate at the start",
      { only = has_epochs })
  : value("warmup_epochs", 0, "its length, part of --epochs", { min = 0, only = has_length })
  : value("warmup_start_factor", 0.001, "where it starts, relative to base_lr", { min = 0, only = warmed })
  : value("warmup_exponent", 4.0, "the exponent", { min = 0, only = { warmup = "exponential" } })
  : choice("optimizer", "sgd", optimizers, "how parameters are updated")
  : value("momentum", 0.9, "how much of the last move is kept",
      { min = 0, max = 1, only = { optimizer = { "sgd", "lars" } } })
  : flag("nesterov", true, "look ahead as Nesterov did", { only = { optimizer = { "sgd", "muon" } } })
  : value("betas", { 0.9, 0.999 }, "how much of the two running means is kept; muon: of biases and batch norm",
      { min = 0, below = 1, only = adaptive })
  : value("lion_betas", { 0.9, 0.99 }, "how much of the mean is kept in the direction of a move, and for the next one",
      { min = 0, below = 1, only = { optimizer = "lion" } })
  : value("rmsprop_alpha", 0.99, "how much of the mean of squares is kept",
      { min = 0, below = 1, only = { optimizer = "rmsprop" } })
  : value("rmsprop_momentum", 0.0, "how much of the last move is kept",
      { min = 0, max = 1, only = { optimizer = "rmsprop" } })
  : flag("rmsprop_centered", false, "divide by the deviation from the mean gradient",
      { only = { optimizer = "rmsprop" } })
  : value("muon_momentum", 0.95, "how much of the mean gradient of a matrix is kept",
      { min = 0, below = 1, only = { optimizer = "muon" } })
  : choice("muon_adjust_lr", "match_rms_adamw", { "match_rms_adamw", "original" },
      "how large moves of matrices are: as those of AdamW at this rate, or as first published, for rates of about 0.02",
      { only = { optimizer = "muon" } })
  : value("muon_adamw_lr_scale", 1.0, "rate of biases and batch norm, which AdamW moves, relative to that of matrices",
      { min = 0, only = { optimizer = "muon" } })
  : value("lars_eps", 1e-9, "added to the norms that divide", { min = 0, only = { optimizer = "lars" } })
  : value("lars_threshold", 1e-2, "parameters with a norm below have the rate itself",
      { min = 0, only = { optimizer = "lars" } })
  : value("final_lr", 0.1, "what its rates end at, before the schedule's factor", { min = 0, only = bounded })
  : value("gamma", 1e-3, "how fast they do so", { min = 0, only = bounded })
  : value("weight_decay", 1e-4, "added to the gradient, times the parameter; adamw, adaboundw, lion, lamb, muon: to "
      .. "the move instead", { min = 0, alias = "wd" })
  : choice("weight_decay_of", "all", { "all", "weights", "conv.weight" },
      "what decays: everything, all but BN and biases, or only names with conv.weight", { only = decays })
  : value("gradient_clip", 0.0, "largest norm of the whole gradient; 0: no limit", { min = 0 })
  : value("sam_rho", 0.0, "take the gradient at the worst place so far away, such as 0.05 (sharpness-aware "
      .. "minimization, Foret et al. 2021); a step takes two passes; 0: at the place itself", { min = 0 })
  : flag("sam_adaptive", false, "so far relative to each parameter (Kwon et al. 2021), such as 0.5",
      { only = sharpness_aware })
  : value("lookahead", 0, "go back to slow weights after so many steps, such as 5 (Zhang et al. 2019); 0: never",
      { min = 0 })
  : value("lookahead_alpha", 0.5, "how far the slow weights follow", { min = 0, max = 1, only = looks_ahead })
  : value("ema", 0.0, "decay of a running average of the weights, which is evaluated too, such as 0.999; 0: none",
      { min = 0, below = 1 })
  : flag("ema_warmup", false, "a smaller decay at first, (1 + t) / (10 + t) behind t updates", { only = averaged })
  : value("subdivision", 1, "parts of a batch that are computed one after another", { min = 1 })
  : flag("sync_bn", false, "of several processes: batch norm with the statistics of the batch of all, not of each")
  : flag("average_bn", false, "of several processes: running statistics are the mean of those of all, not those of "
      .. "process 0", { only = { sync_bn = false } })
  : flag("as_published", false,
      "schedule, clipping and subdivision as in the code the published figures were made with")
  : value("weights", nil, "what to start from: a file of weights (safetensors), a checkpoint or the folder of a run",
      { type = "path" })
  : value("weights_except", "", "layers that begin anew, such as fc where the number of classes is another",
      { only = starts_from_weights })
  : flag("val_first", false, "evaluate before the first epoch, too")
  : value("val_period", 1, "epochs from one evaluation to the next; there is one after the last epoch", { min = 1 })
  : choice("tta", "none", views.choices, views.help)
  : derive(move_milestones)
  : check(schedule.problem)

-- Hands the engine its switches. Where nothing is said of one, what a program set by itself stays.
local function configure(opt)
  local origin, settings = usage.origin(opt), {}
  local given = origin and origin.given or {}
  for _, name in ipairs { "eager", "check_nan", "precise", "deterministic", "profile" } do
    if opt[name] or given[name] ~= nil then settings[name] = opt[name] end
  end
  for _, name in ipairs { "threads", "shares" } do
    if opt[name] > 0 or given[name] then settings[name] = opt[name] end
  end
  settings.device = opt.device
  distributed.settings(settings)
  core.configure(settings)
end

-- Those of every program: `icl --threads 2 any.lua`.
groups.engine = options "engine"
  : value("device", nil, "cpu, ref (plain loops in f64, slow) or another that `icl devices` lists",
      { type = "string" })
  : value("threads", 0, "0: every core", { min = 0, max = 1024, may_change = true })
  : value("shares", 0, "parts of a batch with sums of their own: then bytes do not depend on threads; 0: one a thread",
      { min = 0, max = 1024 })
  : flag("eager", false, "evaluate each op when it is recorded")
  : flag("precise", false, "convolutions that keep a digit more, and take up to twice the time")
  : flag("deterministic", false, "no kernels whose results differ from run to run; cpu and ref have none")
  : flag("check_nan", false, "stop at the first NaN and name its op", { may_change = true })
  : flag("profile", false, "print time by op, layer and phase at the end", { may_change = true })
  : neutral()
  : check(function(values) return values.device and core.device_problem(values.device) end)
  : check(function(values)
      local device = values.device or core.configured().device or "cpu"
      if values.shares > 1 and device ~= "cpu" then
        return ("{shares} %d: device %s sums a batch up as one; cpu alone takes shares"):format(values.shares, device)
      end
    end)
  : after(configure)

local of_several = { "{world_size}", function(values) return values.world_size ~= nil end }
local is_numbered = { "{rank}", function(values) return values.rank ~= nil end }

-- Those of a launcher that tells processes nothing itself.
groups.processes = options "several processes"
  : value("world_size", nil, "how many processes train together, one a device; a launcher says so itself",
      { type = "integer", min = 1, transient = true })
  : value("rank", nil, "the number of this one, from 0",
      { type = "integer", min = 0, transient = true, neutral = true, only = of_several })
  : value("local_rank", nil, "its number on its machine, from 0, which chooses the device",
      { type = "integer", min = 0, transient = true, neutral = true, only = is_numbered })
  : value("master", nil, "HOST:PORT of process 0, where they meet",
      { type = "string", transient = true, neutral = true, only = is_numbered })
  : flag("fast_reduce", false, "sums in an order that the communicator chooses, which may be faster",
      { transient = true, neutral = true })
  : check(function(values)
      if values.rank and values.rank >= values.world_size then
        return ("{rank} %d: of %d processes the last has %d"):format(values.rank, values.world_size,
          values.world_size - 1)
      end
    end)
  : after(distributed.from_options)

local resumes = { "{resume}", function(values) return values.resume ~= nil end }
local by_epochs = { "{save_every} N epochs", function(values) return values.save_every:find "ep" ~= nil end }
local writes = { "an {output} folder", function(values) return values.output ~= "none" end }

groups.output = options "files of the run"
  : value("output", "", "folder for logs, checkpoints and weights, or none (default: runs/RECIPE[-PRESET]/NNN, the "
      .. "first free number)",
      { type = "path", may_change = true, transient = true })
  : value("resume", nil, "go on with the run in this folder, or from this checkpoint of it, with the options it had; "
      .. "without a folder: with the newest unfinished run of this recipe and preset",
      { type = "path", optional = true, transient = true })
  : flag("resume_anyway", false, "also where recipe, options, images, seed or what is kept differ",
      { only = resumes, transient = true })
  : value("save_every", "10min", "how often the state is saved, such as 10min, 2h, 5epochs, 500steps; it is besides at "
      .. "the end of the best epoch, of the run, and at signals", { may_change = true, only = writes })
  : value("keep", 0, "how many of the checkpoints of --save-every N epochs stay; 0: all",
      { min = 0, may_change = true, only = by_epochs })
  : neutral()

-- Event files lie in the folder of a run.
local in_events = { "{tensorboard} and an {output} folder", function(values)
  return values.tensorboard and values.output ~= "none"
end }

groups.logging = options "logging"
  : value("log_period", 100, "steps from one line of figures to the next where there is no bar; 0: a line an epoch",
      { min = 0, may_change = true })
  : flag("tensorboard", true, "event files for TensorBoard", { only = writes, may_change = true })
  : flag("histograms", false, "in them the weights after each epoch", { only = in_events, may_change = true })
  : neutral()

-- A message where the device has not what a precision needs.
local function check_precision(values)
  local device = values.device or core.configured().device or "cpu"
  local wanted = values.precision == "tf32" and "tf32" or stored_as[values.precision]
  local has = core.device_precisions(device)
  for _, name in ipairs(has or { wanted }) do  -- what is wrong with a device is said elsewhere
    if name == wanted then return nil end
  end
  return ("{precision} %s: device %s has %s%s"):format(values.precision, device, table.concat(has, ", "),
    wanted == "f16" and "; bf16 takes as little memory as f16, and needs no scaling of the loss" or "")
end

groups.precision = options "precision"
  : choice("precision", "f32", { "f32", "tf32", "bf16", "f16", "f16-pure" },
      "how activations are stored; tf32: as f32, and products of them have 10 bits; f16: with dynamic loss scaling; "
      .. "f16-pure: weights and all that the optimizer does are f16, too, as in an experiment that shows why not")
  : check(check_precision)
  : after(function(opt)
      if tracked.plain(opt).precision ~= "tf32" then return end  -- others take effect where they are read
      core.configure { precision = opt.precision }
    end)

groups.runtime = options "runtime"
  : value("seed", 0, "of every random draw", { min = 0, neutral = true })
  : include(groups.processes, groups.precision, groups.output, groups.logging, groups.engine)
  : after(function(opt)
      distributed.attach()
      random.seed(opt.seed)
    end)

return groups
