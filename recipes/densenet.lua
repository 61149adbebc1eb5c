-- densenet.lua: DenseNet and DenseNet-BC (Huang et al. 2017)
local icl = require "icl"
local opt = icl.options "DenseNet and DenseNet-BC (Huang et al. 2017)"
  : include(icl.models.densenet.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", batch_size = 64, epochs = 300, milestones = { 150, 225 } }
  : preset("100-12", { block_type = "basic", compression_rate = 1.0 }, "12 channels a layer")
  : preset("100-24", { block_type = "basic", compression_rate = 1.0, growth_rate = 24 }, "24 channels a layer")
  : preset("bc-100-12", { batch_size = 32, base_lr = 0.05 }, "DenseNet-BC")
  : preset("bc-250-24", { depth = 250, growth_rate = 24 }, "deeper and wider")
  : preset("bc-190-40", { depth = 190, growth_rate = 40 }, "the widest")
  : preset("densenet121", { dataset = "imagenet", n_blocks = { 6, 12, 24, 16 }, growth_rate = 32, batch_size = 256,
                            epochs = 90, milestones = { 30, 60 } }, "ImageNet; no figure was published")
  : results "CIFAR-10, test error in %" [[
              | (reproduced)  (in the paper)
    100-12    | 3.87          4.10
    100-24    | -             3.74
    bc-100-12 | 4.69          4.51
    bc-250-24 | -             3.62
    bc-190-40 | -             3.46
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "densenet")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
