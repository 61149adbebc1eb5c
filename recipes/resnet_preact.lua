-- resnet_preact.lua: pre-activation ResNet (He et al. 2016b) on small images
local icl = require "icl"
local opt = icl.options "Pre-activation ResNet (He et al. 2016b)"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { depth = 20, base_lr = 0.2, schedule = "cosine", lr_min_factor = 0.0, epochs = 200 }
  : preset("quickstart", { epochs = 5, batch_size = 64, base_lr = 0.1, crop_padding = 2 }, "Fashion-MNIST: below 8 %")
  : preset("paper", { dataset = "cifar10", depth = 110, epochs = 160, base_lr = 0.1, schedule = "multistep" }, "6.47 %")
  : preset("bottleneck164", { dataset = "cifar10", depth = 164, block_type = "bottleneck", epochs = 160, base_lr = 0.1,
                              schedule = "multistep" }, "5.90 %; in the paper 5.46 %")
  : preset("plain", { dataset = "cifar10" }, "7.60 %; after 400 epochs 7.05 %")
  : preset("wide", { dataset = "cifar10", initial_channels = 64 }, "4.91 %; 400 epochs 4.01 %, 1800 epochs 3.99 %")
  : preset("fashion", { dataset = "fashion_mnist" }, "5.04 %")
  : preset("mnist", { dataset = "mnist", epochs = 100 }, "0.40 %")
  : example "icl recipes/resnet_preact.lua --preset quickstart"
  : parse(arg)

local train, test = icl.data.open(opt)
icl.fit { model = icl.models.build("resnet_preact", opt, train), train = train, test = test, options = opt,
          hint = "Next: --epochs 20 lowers the error, --initial-channels 64 more so; --help lists every option." }
