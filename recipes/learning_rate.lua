-- learning_rate.lua: learning rates for each batch size, pre-activation ResNet-20 on CIFAR-10
local icl = require "icl"
local opt = icl.options "Learning rates for each batch size, pre-activation ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, schedule = "cosine", epochs = 200 }
  : results "CIFAR-10, test error in %" [[
    batch_size | base_lr=3.2  2.4   2.0   1.6    1.2   0.8    0.4   0.2   0.1   0.05  0.025
    4096       | -            -     -     10.32  -     10.71  -     -     -     -     -
    2048       | 11.34        8.69  8.81   8.73  -      9.62  -     -     -     -     -
    1024       |  9.12        8.42  8.38   8.07  8.25   8.08  8.49  -     -     -     -
    512        |  8.51        -     -      7.73  -      7.73  8.22  -     -     -     -
    256        |  9.64        -     -      8.32  -      7.45  7.68  8.61  -     -     -
    128        | -            -     -      9.03  -      7.54  7.28  7.96  8.09  8.81  10.07
    64         | -            -     -     -      -     -      7.42  7.52  7.78  8.22  -
    32         | -            -     -     -      -     -      -     7.64  7.25  7.45   8.00
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
