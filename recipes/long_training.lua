-- long_training.lua: the best learning rate for each batch size, and more epochs; pre-activation ResNet-20 on CIFAR-10
local icl = require "icl"
local opt = icl.options "The best learning rate for each batch size, and more epochs, pre-activation ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, schedule = "cosine", epochs = 800 }
  : published({ { "-800", { epochs = 800 } }, { "-1600", { epochs = 1600 } }, { "-3200", { epochs = 3200 } },
              { "-6400", { epochs = 6400 } } }, {
    { "batch4096", { batch_size = 4096, base_lr = 1.6 }, 8.36, 8.25, 9.52 },
    { "batch2048", { batch_size = 2048, base_lr = 1.6 }, 7.53, 7.34, 6.92, 7.45 },
    { "batch1024", { batch_size = 1024, base_lr = 1.6 }, 7.30, 6.94, 6.96 },
    { "batch512", { batch_size = 512, base_lr = 1.6 }, 6.69, 6.99 },
    { "batch256", { batch_size = 256, base_lr = 0.8 }, 6.84, 6.95 },
    { "batch128", { batch_size = 128, base_lr = 0.4 }, 6.86, 6.64 },
  })
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
