-- regularization.lua: smoothed labels, mixup, RICAP and cutouts, pre-activation ResNet-20 on CIFAR-10
local icl = require "icl"
local opt = icl.options "Smoothed labels, mixup, RICAP and cutouts, pre-activation ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, base_lr = 0.2, schedule = "cosine" }
  : results "CIFAR-10, test error in %, median of 3" [[
                                 | epochs=200  400
    plain:                       | 7.60        7.05
    label_smoothing=0.001        | 7.51        7.20
    label_smoothing=0.01         | 7.21        6.97
    label_smoothing=0.1          | 7.57        7.16
    mixup                        | 7.24        6.66
    ricap-crop: ricap            | 6.88        6.30
    ricap: ricap, no random_crop | 6.77        6.19
    dual_cutout                  | 6.24        5.55
  ]]
  : results "The same network four times as wide, test error in %" [[
    initial_channels=64
                                      | epochs=200  400   1800
    wide:                             | 4.91        4.01  3.99
    wide-cutout: cutout               | 3.71        3.46  3.76
    wide-ricap: ricap, no random_crop | 3.45        3.11  3.15
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
