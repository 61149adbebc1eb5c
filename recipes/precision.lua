-- precision.lua: activations, or all of it, in 16 bits, pre-activation ResNet-20 on CIFAR-10
local icl = require "icl"
local opt = icl.options "Activations stored in 16 bits, pre-activation ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, schedule = "cosine", epochs = 200 }
  : results "CIFAR-10, test error in %, on a GTX 1080 Ti and a V100" [[
    batch_size  base_lr | precision=f32 (1080 Ti)  (V100)  precision=f16 (1080 Ti)  (V100)  precision=f16-pure (1080 Ti)
    8192        1.6     | -                        12.35   11.78                    11.92   48.52
    4096        1.6     | 10.32                     9.88   10.48                    10.16   49.84
    2048        1.6     |  8.73                     8.87    8.98                     9.10   75.63
    1024        1.6     |  8.07                     8.45    8.05                     7.84   19.09
    512         0.8     |  7.73                    -        7.81                    -        7.89
    256         0.8     |  7.45                    -        7.58                    -        7.40
    128         0.4     |  7.28                    -        7.37                    -        7.59
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
