-- kmnist.lua: pre-activation ResNets, PyramidNet and Shake-Shake on Kuzushiji-MNIST
local icl = require "icl"
local opt = icl.options "Pre-activation ResNets, PyramidNet and Shake-Shake on Kuzushiji-MNIST"
  : choice("model", "resnet_preact", { "resnet_preact", "pyramidnet", "shake_shake" }, "the network")
  : value("depth", 20, "its layers", { min = 8 }) : value("initial_channels", 16, "of its first stage", { min = 2 })
  : add(icl.models.first_weights(), "")
  : value("alpha", 270.0, "channels that are added in all", { min = 0, only = { model = "pyramidnet" } })
  : choice("block_type", "basic", { "basic", "bottleneck" }, "its blocks",
      { only = { model = { "resnet_preact", "pyramidnet" } } })
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { dataset = "kmnist", base_lr = 0.2, schedule = "cosine", epochs = 200, cutout = true, cutout_size = 14 }
  : preset("preact20-wide", { initial_channels = 64 })
  : preset("pyramid110-270", { model = "pyramidnet", depth = 110, alpha = 270 })
  : preset("2x96d", { model = "shake_shake", depth = 26, initial_channels = 96 })
  : results "Kuzushiji-MNIST, test error in %" [[
                   | (median of 3)  (best of 3)
    preact20:      | 0.82           0.67
    preact20-wide  | 0.72           0.67
    pyramid110-270 | 0.72           0.70
    2x96d          | 0.66           0.63
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
icl.fit { model = icl.models.from_options(opt, train), train = train, val = val, test = test, options = opt }
