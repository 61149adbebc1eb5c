-- weight_decay.lua: weight decay with and without that of batch norm, large batches, ResNet-20 on CIFAR-10
local icl = require "icl"
local opt = icl.options "Weight decay with and without that of batch norm, large batches, pre-activation ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, schedule = "cosine", epochs = 200, base_lr = 1.6 }
  : results "CIFAR-10, test error in %, median of 3" [[
    batch_size  weight_decay_of | weight_decay=5e-4  4e-4   3e-4   2e-4  1e-4
    4096        all             | 10.81              10.88  10.96  9.30  10.20
    4096        weights         |  8.78               9.83   9.90  9.64  10.38
    2048        all             |  8.46               8.35   7.76  8.09   8.83
    2048        weights         |  8.49               7.98   8.26  8.47   9.27
    1024        all             |  8.45               7.91   7.81  7.69   8.26
    1024        weights         |  8.08               7.73   7.92  7.93   8.53
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
