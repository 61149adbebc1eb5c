-- ghost_batch.lua: batch statistics of 128 images in larger batches (Hoffer et al. 2017), ResNet-20 on CIFAR-10
local icl = require "icl"
local opt = icl.options "Batch statistics of 128 images in larger batches (Hoffer et al. 2017), ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, schedule = "cosine", base_lr = 1.6 }
  : results "CIFAR-10, test error in %, of parts of 128 images" [[
    batch_size  subdivision | epochs=200  1600
    8192        64          | 11.51       11.83
    4096        32          |  9.73        8.95
    2048        16          |  8.77        7.23
    1024        8           |  7.82        7.08
  ]]
  : results "The same with statistics of the whole batch" [[
                                | epochs=200  1600
    whole-8192: batch_size=8192 | 12.35       -
    whole-4096: batch_size=4096 | 10.32       8.25
    whole-2048: batch_size=2048 |  8.73       7.34
    whole-1024: batch_size=1024 |  8.07       6.94
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
