-- shake_shake.lua: Shake-Shake (Gastaldi 2017), also regularised
local icl = require "icl"
local opt = icl.options "Shake-Shake (Gastaldi 2017)"
  : include(icl.models.shake_shake.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", epochs = 1800, base_lr = 0.2, schedule = "cosine", lr_min_factor = 0.0 }
  : preset("2x32d", { initial_channels = 32 })
  : preset("2x64d", { initial_channels = 64, batch_size = 64, base_lr = 0.1 })
  : preset("2x96d", { initial_channels = 96, batch_size = 64, base_lr = 0.1 })
  : results "CIFAR-10, test error in %" [[
          | (reproduced)  (in the paper)
    2x32d | 3.68          3.55
    2x64d | 2.88          2.98
    2x96d | 2.90          2.86
  ]]
  : results "CIFAR-10, regularised, test error in %" [[
    initial_channels | cutout  mixup  ricap: ricap, no random_crop  dual_cutout
    64               | 2.64    2.63   2.29                          2.64
    96               | 2.50    2.36   2.10                          2.41
    128              | 2.58    -      1.97                          -
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "shake_shake")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
