-- resnet_preact.lua: pre-activation ResNet (He et al. 2016) on small images
local icl = require "icl"
local opt = icl.options "Pre-activation ResNet on small images (He et al. 2016)"
  : value("depth", 20, "layers: 6n + 2, or 9n + 2 with bottleneck blocks")
  : value("channels", 16, "channels of the first stage; 64 is a width of 4", { min = 1 })
  : choice("block_type", "basic", { "basic", "bottleneck" }, "kind of residual block")
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { base_lr = 0.2, schedule = "cosine", lr_min_factor = 0.0, epochs = 200 }
  : preset("quickstart", { epochs = 5 }, "Fashion-MNIST in a few minutes, test error below 8 %")
  : preset("paper", { dataset = "cifar10", depth = 110, epochs = 160, base_lr = 0.1, schedule = "multistep" }, "6.4 %")
  : example "icl recipes/resnet_preact.lua --preset quickstart"
  : parse(arg)

local train, test = icl.data.open(opt)
local model = icl.models.resnet_preact { input = train.shape, classes = train.classes, depth = opt.depth,
                                         initial_channels = opt.channels, block_type = opt.block_type }
icl.fit { model = model, train = train, test = test, options = opt,
          hint = "Next: --epochs 20 lowers the error, --channels 64 more so; --help lists every option." }
