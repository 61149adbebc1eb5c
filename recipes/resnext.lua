-- resnext.lua: ResNeXt (Xie et al. 2017)
local icl = require "icl"
local opt = icl.options "ResNeXt (Xie et al. 2017)"
  : include(icl.models.resnext.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", base_channels = 64, weight_decay = 5e-4, epochs = 300, milestones = { 150, 225 } }
  : preset("4x64d", { cardinality = 4, batch_size = 32, base_lr = 0.025 })
  : preset("8x64d", { cardinality = 8, batch_size = 64, base_lr = 0.05 })
  : preset("16x64d", { cardinality = 16 })
  : preset("resnext50", { dataset = "imagenet", initial_channels = 64, n_blocks = { 3, 4, 6, 3 }, cardinality = 32,
                          base_channels = 4, batch_size = 256, weight_decay = 1e-4, epochs = 90,
                          milestones = { 30, 60 } }, "ImageNet; no figure was published")
  : results "CIFAR-10, test error in %" [[
           | (reproduced)  (in the paper)
    4x64d  | 3.89          3.75
    8x64d  | 3.97          3.65
    16x64d | -             3.58
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
icl.fit { model = icl.models.from_options(opt, train, "resnext"), train = train, val = val, test = test, options = opt }
