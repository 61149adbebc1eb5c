-- lars.lua: large batches with LARS (You et al. 2017), pre-activation ResNet-20 on CIFAR-10
local icl = require "icl"
local opt = icl.options "Large batches with LARS (You et al. 2017), pre-activation ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, schedule = "cosine", epochs = 200, optimizer = "lars", base_lr = 0.02 }
  : results "CIFAR-10, test error in %, median of 3" [[
    batch_size | base_lr=0.04  0.03  0.02   0.015  0.01  0.0075  0.005  0.0025  0.00125
    4096       |  9.58         8.46  8.21   8.47   9.33  -       14.31  -       -
    2048       | 11.58         -     8.05   -      8.07  -        9.65  -       -
    1024       | -             -     9.30   -      7.68  -        8.88  -       -
    512        | -             -     -      9.84   8.05  7.58     7.96  8.83    -
    256        | -             -     -      -      8.95  -        7.75  8.21    -
    128        | -             -     -      -      -     -        7.96  7.98    9.21
  ]]
  : results "Longer, test error in %, median of 3" [[
    batch_size  base_lr | epochs=400  800   1600
    4096        0.02    | 7.53        7.48  7.37
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
