-- pyramidnet.lua: PyramidNet (Han et al. 2017)
local icl = require "icl"
local opt = icl.options "PyramidNet (Han et al. 2017)"
  : include(icl.models.pyramidnet.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", epochs = 300, milestones = { 150, 225 } }
  : preset("110-84", { depth = 110, block_type = "basic", alpha = 84 }, "basic blocks")
  : preset("110-270", { depth = 110, block_type = "basic", alpha = 270 }, "basic blocks, wider")
  : preset("164-270", { depth = 164, alpha = 270 }, "bottleneck blocks")
  : preset("272-200", { depth = 272, alpha = 200 }, "bottleneck blocks, the deepest")
  : preset("pyramidnet200", { dataset = "imagenet", n_blocks = { 3, 24, 36, 3 }, initial_channels = 64, alpha = 300,
                              base_lr = 0.05, epochs = 120, milestones = { 60, 90, 105 } },
      "ImageNet; no figure was published")
  : results "CIFAR-10, test error in %" [[
            | (reproduced)  (in the paper)
    110-84  | 4.40          4.26
    110-270 | 3.92          3.73
    164-270 | 3.44          3.48
    272-200 | -             3.31
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "pyramidnet")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
