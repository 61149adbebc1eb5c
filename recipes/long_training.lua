-- long_training.lua: the best learning rate for each batch size, and more epochs; pre-activation ResNet-20 on CIFAR-10
local icl = require "icl"
local opt = icl.options "The best learning rate for each batch size, and more epochs, pre-activation ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, schedule = "cosine", epochs = 800 }
  : results "CIFAR-10, test error in %" [[
    batch_size  base_lr | epochs=800  1600  3200  6400
    4096        1.6     | 8.36        8.25  9.52  -
    2048        1.6     | 7.53        7.34  6.92  7.45
    1024        1.6     | 7.30        6.94  6.96  -
    512         1.6     | 6.69        6.99  -     -
    256         0.8     | 6.84        6.95  -     -
    128         0.4     | 6.86        6.64  -     -
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
