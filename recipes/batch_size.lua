-- batch_size.lua: batch size and learning rate in proportion, pre-activation ResNet-20 on CIFAR-10
local icl = require "icl"
local opt = icl.options "Batch size and learning rate in proportion, pre-activation ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, schedule = "cosine", epochs = 200 }
  : results "CIFAR-10, test error in %" [[
    batch_size  base_lr  | epochs=200  schedule=multistep  epochs=400  800
    4096        3.2      | 10.57       28.97               8.97        8.14
    2048        1.6      |  8.87        9.07               7.85        7.74
    1024        0.8      |  8.40        8.62               7.20        7.15
    512         0.4      |  8.22        8.23               7.83        7.27
    256         0.2      |  8.61        8.40               7.65        7.22
    128         0.1      |  8.09        8.28               7.09        6.68
    64          0.05     |  8.22        8.13               7.17        7.18
    32          0.025    |  8.00        7.58               7.24        7.03
    16          0.0125   |  7.75        7.93               7.26        6.78
    8           0.006125 |  7.70        8.31               7.02        6.89
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
