-- resnet.lua: ResNet (He et al. 2016a)
local icl = require "icl"
local opt = icl.options "ResNet (He et al. 2016a)"
  : include(icl.models.resnet.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10" }
  : preset("resnet110", { depth = 110 }, "6.52 %; in the paper 6.43 %")
  : preset("resnet56", { depth = 56 }, "in the paper 6.97 %")
  : preset("resnet20", { depth = 20 }, "in the paper 8.75 %")
  : parse(arg)

local train, test = icl.data.open(opt)
icl.fit { model = icl.models.build("resnet", opt, train), train = train, test = test, options = opt }
