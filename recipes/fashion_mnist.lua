-- fashion_mnist.lua: pre-activation ResNets and Shake-Shake on Fashion-MNIST
local icl, columns = require "icl", { [7] = { "", {} }, [8] = { "-erasing", { random_erasing = true } },
  [9] = { "-mixup", { mixup = true } }, [10] = { "-mixup-400", { mixup = true, epochs = 400 } } }
for k, n in ipairs { 12, 14, 6, 8, 10, 16 } do columns[k] = { "-cutout" .. n, { cutout = true, cutout_size = n } } end
local opt = icl.options "Pre-activation ResNets and Shake-Shake on Fashion-MNIST"
  : choice("model", "resnet_preact", { "resnet_preact", "shake_shake" }, "the network")
  : value("depth", 20, "its layers", { min = 8 }) : value("initial_channels", 16, "of its first stage", { min = 2 })
  : add(icl.models.first_weights(), "")
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { dataset = "fashion_mnist", base_lr = 0.2, schedule = "cosine", epochs = 200 }
  : published(columns, {
    { "preact20", {}, 4.68, 4.64, 4.84, 4.64, 4.74, 4.49, 5.04, 4.61, 4.92, 4.64 },
    { "preact20-wide", { initial_channels = 64 }, 4.17, 4.11 },
    { "preact50", { depth = 50 }, 4.45, 4.38 }, { "preact50-wide", { depth = 50, initial_channels = 64 }, 4.07, 4.13 },
    { "2x32d", { model = "shake_shake", depth = 26, initial_channels = 32, epochs = 400 }, 4.08, 4.05 },
    { "2x96d", { model = "shake_shake", depth = 26, initial_channels = 96, epochs = 400 }, 3.72, 3.85 },
    { "2x96d-800", { model = "shake_shake", depth = 26, initial_channels = 96, epochs = 800 }, 3.65, 3.60 },
  }) : parse(arg)

local train, val, test = icl.data.open(opt)
icl.fit { model = icl.models.from_options(opt, train), train = train, val = val, test = test, options = opt }
