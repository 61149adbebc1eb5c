-- mnist.lua: pre-activation ResNets and Shake-Shake on MNIST
local icl = require "icl"
local opt = icl.options "Pre-activation ResNets and Shake-Shake on MNIST"
  : choice("model", "resnet_preact", { "resnet_preact", "shake_shake" }, "the network")
  : value("depth", 20, "its layers", { min = 8 }) : value("initial_channels", 16, "of its first stage", { min = 2 })
  : add(icl.models.first_weights(), "")
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { dataset = "mnist", base_lr = 0.2, schedule = "cosine", epochs = 100 }
  : preset("preact20-wide", { initial_channels = 64 })
  : preset("preact50", { depth = 50 })
  : preset("preact50-wide", { depth = 50, initial_channels = 64 })
  : preset("2x96d", { model = "shake_shake", depth = 26, initial_channels = 96 })
  : results "MNIST with cutout, test error in %, median of 3" [[
    cutout
                  | cutout_size=6  8     10    12    14    16
    preact20:     | 0.32           0.25  0.27  0.26  0.26  0.25
    preact20-wide | -              -     -     -     0.26  -
    preact50      | -              -     -     -     0.29  -
    preact50-wide | -              -     -     -     0.25  -
    2x96d         | -              -     -     -     0.24  -
  ]]
  : results "Pre-activation ResNet-20 on MNIST, test error in %" [[
                                     | (median of 3)
    plain:                           | 0.40
    mixup                            | 0.40
    mixup0.5: mixup, mixup_alpha=0.5 | 0.38
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
icl.fit { model = icl.models.from_options(opt, train), train = train, val = val, test = test, options = opt }
