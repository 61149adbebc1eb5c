-- wrn.lua: Wide ResNet (Zagoruyko and Komodakis 2016)
local icl = require "icl"
local opt = icl.options "Wide ResNet (Zagoruyko and Komodakis 2016)"
  : include(icl.models.wrn.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", init_mode = "kaiming_fan_in", weight_decay = 5e-4, epochs = 200 }
  : default { milestones = { 60, 120, 160 }, lr_decay = 0.2 }
  : preset("28-10", { batch_size = 64 }, "4.03 %; in the paper 4.00 %")
  : preset("28-10-dropout", { batch_size = 64, drop_rate = 0.3 }, "in the paper 3.89 %")
  : parse(arg)

local train, test = icl.data.open(opt)
icl.fit { model = icl.models.build("wrn", opt, train), train = train, test = test, options = opt }
