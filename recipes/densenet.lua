-- densenet.lua: DenseNet and DenseNet-BC (Huang et al. 2017)
local icl = require "icl"
local opt = icl.options "DenseNet and DenseNet-BC (Huang et al. 2017)"
  : include(icl.models.densenet.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", batch_size = 64, epochs = 300, milestones = { 150, 225 } }
  : preset("100-12", { block_type = "basic", compression_rate = 1.0 }, "3.87 %; in the paper 4.10 %")
  : preset("100-24", { block_type = "basic", compression_rate = 1.0, growth_rate = 24 }, "in the paper 3.74 %")
  : preset("bc-100-12", { batch_size = 32, base_lr = 0.05 }, "4.69 %; in the paper 4.51 %")
  : preset("bc-250-24", { depth = 250, growth_rate = 24 }, "in the paper 3.62 %")
  : preset("bc-190-40", { depth = 190, growth_rate = 40 }, "in the paper 3.46 %")
  : preset("densenet121", { dataset = "imagenet", n_blocks = { 6, 12, 24, 16 }, growth_rate = 32, batch_size = 256,
                            epochs = 90, milestones = { 30, 60 } }, "ImageNet; no figure was published")
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "densenet")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
