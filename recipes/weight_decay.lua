-- weight_decay.lua: weight decay with and without that of batch norm, large batches, ResNet-20 on CIFAR-10
local icl = require "icl"
local opt = icl.options "Weight decay with and without that of batch norm, large batches, pre-activation ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, schedule = "cosine", epochs = 200, base_lr = 1.6 }
  : published({ { "-5e-4", { weight_decay = 5e-4 } }, { "-4e-4", { weight_decay = 4e-4 } },
              { "-3e-4", { weight_decay = 3e-4 } }, { "-2e-4", { weight_decay = 2e-4 } },
              { "-1e-4", { weight_decay = 1e-4 } } }, {
    { "batch4096", { batch_size = 4096 }, 10.81, 10.88, 10.96, 9.30, 10.20 },
    { "batch4096-no-bn", { batch_size = 4096, weight_decay_of = "weights" }, 8.78, 9.83, 9.90, 9.64, 10.38 },
    { "batch2048", { batch_size = 2048 }, 8.46, 8.35, 7.76, 8.09, 8.83 },
    { "batch2048-no-bn", { batch_size = 2048, weight_decay_of = "weights" }, 8.49, 7.98, 8.26, 8.47, 9.27 },
    { "batch1024", { batch_size = 1024 }, 8.45, 7.91, 7.81, 7.69, 8.26 },
    { "batch1024-no-bn", { batch_size = 1024, weight_decay_of = "weights" }, 8.08, 7.73, 7.92, 7.93, 8.53 },
  }) : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
