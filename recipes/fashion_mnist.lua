-- fashion_mnist.lua: pre-activation ResNets and Shake-Shake on Fashion-MNIST
local icl = require "icl"
local opt = icl.options "Pre-activation ResNets and Shake-Shake on Fashion-MNIST"
  : choice("model", "resnet_preact", { "resnet_preact", "shake_shake" }, "the network")
  : value("depth", 20, "its layers", { min = 8 }) : value("initial_channels", 16, "of its first stage", { min = 2 })
  : add(icl.models.first_weights(), "")
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { dataset = "fashion_mnist", base_lr = 0.2, schedule = "cosine", epochs = 200 }
  : preset("preact20-wide", { initial_channels = 64 })
  : preset("preact50", { depth = 50 })
  : preset("preact50-wide", { depth = 50, initial_channels = 64 })
  : preset("2x32d", { model = "shake_shake", depth = 26, initial_channels = 32 })
  : preset("2x96d", { model = "shake_shake", depth = 26, initial_channels = 96 })
  : results "Fashion-MNIST with cutout, test error in %" [[
    cutout
                      | cutout_size=6  8     10    12    14    16
    preact20:         | 4.84           4.64  4.74  4.68  4.64  4.49
    preact20-wide     | -              -     -     4.17  4.11  -
    preact50          | -              -     -     4.45  4.38  -
    preact50-wide     | -              -     -     4.07  4.13  -
    2x32d, epochs=400 | -              -     -     4.08  4.05  -
    2x96d, epochs=400 | -              -     -     3.72  3.85  -
    2x96d, epochs=800 | -              -     -     3.65  3.60  -
  ]]
  : results "Pre-activation ResNet-20 on Fashion-MNIST, test error in %, median of 3" [[
                   | epochs=200  400
    plain:         | 5.04        -
    random_erasing | 4.61        -
    mixup          | 4.92        4.64
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
icl.fit { model = icl.models.from_options(opt, train), train = train, val = val, test = test, options = opt }
