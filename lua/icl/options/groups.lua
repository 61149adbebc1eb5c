-- options/groups.lua: the options that many recipes share, as groups for :include.
local core = require "icl.core"
local cutmix = require "icl.augment.cutmix"
local cutout = require "icl.augment.cutout"
local hflip = require "icl.augment.hflip"
local mixup = require "icl.augment.mixup"
local random_crop = require "icl.augment.random_crop"
local random_erasing = require "icl.augment.random_erasing"
local random_resized_crop = require "icl.augment.random_resized_crop"
local ricap = require "icl.augment.ricap"
local folder = require "icl.data.folder"
local options = require "icl.options.list"
local optimizers = require "icl.optim.from_options".names
local random = require "icl.random"
local schedule = require "icl.schedule"

local groups = {}

groups.data = options "data"
  : choice("dataset", "fashion_mnist", { "fashion_mnist", "mnist", "kmnist", "cifar10", "cifar100", "imagenet" },
      "the images; imagenet: any folder with DIR/train/CLASS/NAME.jpg, DIR/val/CLASS/NAME.jpg")
  : value("data", "", "folder of the data set; otherwise the standard folders are searched")
  : value("image_size", 224, "imagenet: pixels of a side of an image", { min = 1, max = 16384 })
  : value("eval_resize", 256, "imagenet: the shorter side before the middle is cut out; 0: as it is",
      { min = 0, max = 16384 })
  : value("workers", 0, "imagenet: threads that decode; 0: one for each core", { min = 0, max = 1024 })
  : value("batch_size", 128, "images a step", { min = 1 })
  : value("eval_batch_size", 256, "images a step of evaluation", { min = 1 })
  : flag("drop_last", true, "leave out a last smaller batch in training")
  : flag("use_test_as_val", true, "validate on the test images; off: on a part of the training images")
  : value("val_ratio", 0.0, "that part, as a fraction", { min = 0, max = 0.999 })
  : check(function(values)
      if values.dataset == "imagenet" and values.data == "" then return "--dataset imagenet " .. folder.missing end
    end)

-- The names among `list` that are switched on.
local function chosen(values, list)
  local names = {}
  for _, name in ipairs(list) do
    if values[name] then names[#names + 1] = name end
  end
  return names
end

-- A batch is mixed in one way, and two views of an image are not mixed.
local function check_mixing(values)
  local names = chosen(values, { "dual_cutout", "mixup", "cutmix", "ricap" })
  if #names > 1 then return ("%s exclude each other; choose one"):format(table.concat(names, " and ")) end
end

groups.augmentation = options "augmentation"
  : flag("random_crop", true, "crop at random from the padded image; imagenet: a random part, resized")
  : add(random_crop.options, "crop_")
  : add(random_resized_crop.options, "crop_")
  : flag("hflip", nil, "mirror images left to right; by default not the digits of mnist and kmnist")
  : add(hflip.options, "hflip_")
  : flag("cutout", false, "fill a square of each image (DeVries and Taylor 2017)")
  : add(cutout.options, "cutout_")
  : flag("dual_cutout", false, "train on two views of each image, with a cutout each")
  : value("dual_cutout_alpha", 0.1, "weight of the squared difference of their logits", { min = 0 })
  : flag("random_erasing", false, "fill a rectangle of some images (Zhong et al. 2020)")
  : add(random_erasing.options, "random_erasing_")
  : flag("mixup", false, "blend pairs of images (Zhang et al. 2018)")
  : add(mixup.options, "mixup_")
  : flag("cutmix", false, "replace a rectangle by that of another image (Yun et al. 2019)")
  : add(cutmix.options, "cutmix_")
  : flag("ricap", false, "patch four images together (Takahashi et al. 2018)")
  : add(ricap.options, "ricap_")
  : value("label_smoothing", 0.0, "share of the target spread over all classes", { min = 0, max = 1 })
  : check(check_mixing)

groups.training = options "training"
  : value("epochs", 160, "passes over the training images", { min = 1 })
  : value("base_lr", 0.1, "learning rate before the schedule's factor", { min = 0 })
  : choice("schedule", "multistep", schedule.types, "how the rate changes")
  : value("milestones", { 80, 120 }, "multistep: epochs after the warm-up at which it drops")
  : value("lr_decay", 0.1, "multistep: factor of a drop", { min = 0 })
  : value("lr_min_factor", 0.001, "linear, cosine, sgdr: last rate relative to the first", { min = 0 })
  : value("T0", 10, "sgdr: epochs of the first cycle", { min = 1 })
  : value("T_mul", 1.0, "sgdr: growth from cycle to cycle", { min = 0 })
  : choice("warmup", "none", { "none", "linear", "exponential" }, "rise of the rate at the start")
  : value("warmup_epochs", 0, "its length, part of --epochs", { min = 0 })
  : value("warmup_start_factor", 0.001, "where it starts, relative to base_lr", { min = 0 })
  : value("warmup_exponent", 4.0, "exponential: the exponent", { min = 0 })
  : choice("optimizer", "sgd", optimizers, "how parameters are updated")
  : value("momentum", 0.9, "sgd, lars: how much of the last move is kept", { min = 0, max = 1 })
  : flag("nesterov", true, "sgd: look ahead as Nesterov did")
  : value("betas", { 0.9, 0.999 }, "adam, adabound: how much of the two running means is kept", { min = 0, max = 1 })
  : value("lars_eps", 1e-9, "lars: added to the norms that divide", { min = 0 })
  : value("lars_threshold", 1e-2, "lars: parameters with a norm below have the rate itself", { min = 0 })
  : value("final_lr", 0.1, "adabound: what its rates end at, before the schedule's factor", { min = 0 })
  : value("gamma", 1e-3, "adabound: how fast they do so", { min = 0 })
  : value("weight_decay", 1e-4, "added to the gradient, times the parameter", { min = 0 })
  : choice("weight_decay_of", "all", { "all", "weights", "conv.weight" },
      "what decays: everything, all but BN and biases, or only names with conv.weight")
  : value("gradient_clip", 0.0, "largest norm of the whole gradient; 0: no limit", { min = 0 })
  : value("subdivision", 1, "parts of a batch that are computed one after another", { min = 1 })
  : flag("as_published", false,
      "schedule, clipping and subdivision as in the code the published figures were made with")

-- Hands the engine its switches; only those that were given, so that those before the recipe's name count as well.
local function configure(opt)
  local settings = {}
  for _, name in ipairs { "eager", "check_nan", "precise", "profile" } do
    if opt[name] then settings[name] = true end
  end
  if opt.threads > 0 then settings.threads = opt.threads end
  settings.device = opt.device
  core.configure(settings)
end

-- Those of every program: `icl --threads 2 any.lua`.
groups.engine = options "engine"
  : choice("device", nil, { "cpu", "ref" }, "where to compute; ref: plain loops in f64, slow")
  : value("threads", 0, "0: every core", { min = 0 })
  : flag("eager", false, "evaluate each op when it is recorded")
  : flag("precise", false, "convolutions that keep a digit more, and take up to twice the time")
  : flag("check_nan", false, "stop at the first value that is not finite and name its op")
  : flag("profile", false, "print time by op, layer and phase at the end")
  : after(configure)

groups.runtime = options "runtime"
  : value("seed", 0, "of every random draw", { min = 0 })
  : choice("precision", "f32", { "f32", "bf16" }, "how activations are stored")
  : include(groups.engine)
  : after(function(opt) random.seed(opt.seed) end)

return groups
