-- resnet.lua: ResNet (He et al. 2016a)
local icl = require "icl"
local opt = icl.options "ResNet (He et al. 2016a)"
  : include(icl.models.resnet.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10" }
  : preset("resnet110", { depth = 110 })
  : preset("resnet56", { depth = 56 })
  : preset("resnet20", { depth = 20 })
  : preset("resnet18", { dataset = "imagenet", initial_channels = 64, n_blocks = { 2, 2, 2, 2 }, batch_size = 256,
                         epochs = 90, milestones = { 30, 60 } }, "ImageNet; no figure was published")
  : preset("resnet34", { dataset = "imagenet", initial_channels = 64, n_blocks = { 3, 4, 6, 3 }, batch_size = 256,
                         eval_batch_size = 1024, epochs = 90, milestones = { 30, 60 } },
      "ImageNet; no figure was published")
  : results "CIFAR-10, test error in %" [[
              | (reproduced)  (in the paper)
    resnet110 | 6.52          6.43
    resnet56  | -             6.97
    resnet20  | -             8.75
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
icl.fit { model = icl.models.from_options(opt, train, "resnet"), train = train, val = val, test = test, options = opt }
