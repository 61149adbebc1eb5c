-- regularization.lua: smoothed labels, mixup, RICAP and cutouts, pre-activation ResNet-20 on CIFAR-10
local icl = require "icl"
local opt = icl.options "Smoothed labels, mixup, RICAP and cutouts, pre-activation ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, base_lr = 0.2, schedule = "cosine" }
  : published({ { "-200", { epochs = 200 } }, { "-400", { epochs = 400 } }, { "-1800", { epochs = 1800 } } }, {
    { "plain", {}, 7.60, 7.05 }, { "smoothing0.001", { label_smoothing = 0.001 }, 7.51, 7.20 },
    { "mixup", { mixup = true }, 7.24, 6.66 }, { "smoothing0.01", { label_smoothing = 0.01 }, 7.21, 6.97 },
    { "dual-cutout", { dual_cutout = true }, 6.24, 5.55 }, { "smoothing0.1", { label_smoothing = 0.1 }, 7.57, 7.16 },
    { "ricap", { ricap = true, random_crop = false }, 6.77, 6.19 }, { "ricap-crop", { ricap = true }, 6.88, 6.30 },
    { "wide", { initial_channels = 64 }, 4.91, 4.01, 3.99 },
    { "wide-cutout", { initial_channels = 64, cutout = true }, 3.71, 3.46, 3.76 },
    { "wide-ricap", { initial_channels = 64, ricap = true, random_crop = false }, 3.45, 3.11, 3.15 },
  })
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
