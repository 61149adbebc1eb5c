-- resnet_preact.lua: pre-activation ResNet (He et al. 2016b)
local icl = require "icl"
local opt = icl.options "Pre-activation ResNet (He et al. 2016b)"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10" }
  : preset("quickstart", { dataset = "fashion_mnist", depth = 20, epochs = 5, batch_size = 64, crop_padding = 2,
                           schedule = "cosine", lr_min_factor = 0.0 }, "Fashion-MNIST: below 8 %")
  : preset("paper", { depth = 110 }, "the network of the paper")
  : preset("bottleneck164", { depth = 164, block_type = "bottleneck" })
  : preset("bottleneck1001", { depth = 1001, block_type = "bottleneck" })
  : preset("imagenet18", { dataset = "imagenet", initial_channels = 64, n_blocks = { 2, 2, 2, 2 }, batch_size = 256,
                           epochs = 90, milestones = { 30, 60 } }, "ImageNet; no figure was published")
  : results "CIFAR-10, test error in %" [[
                   | (reproduced)  (in the paper)
    paper          | 6.47          6.37
    bottleneck164  | 5.90          5.46
    bottleneck1001 | -             4.62
  ]]
  : example "icl recipes/resnet_preact.lua --preset quickstart"
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
local hint = "Next: --epochs 20 lowers the error, --initial-channels 64 more so; --help lists every option."
icl.fit { model = model, train = train, val = val, test = test, options = opt, hint = opt.epochs < 20 and hint or nil }
