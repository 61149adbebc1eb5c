-- lars.lua: large batches with LARS (You et al. 2017), pre-activation ResNet-20 on CIFAR-10
local icl, rates, no = require "icl", { 0.04, 0.03, 0.02, 0.015, 0.01, 0.0075, 0.005, 0.0025, 0.00125 }, false
for k, rate in ipairs(rates) do rates[k] = { "-lr" .. rate, { base_lr = rate } } end
local opt = icl.options "Large batches with LARS (You et al. 2017), pre-activation ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, schedule = "cosine", epochs = 200, optimizer = "lars", base_lr = 0.02 }
  : published(rates, {
    { "batch4096", { batch_size = 4096 }, 9.58, 8.46, 8.21, 8.47, 9.33, no, 14.31 },
    { "batch2048", { batch_size = 2048 }, 11.58, no, 8.05, no, 8.07, no, 9.65 },
    { "batch1024", { batch_size = 1024 }, no, no, 9.30, no, 7.68, no, 8.88 },
    { "batch512", { batch_size = 512 }, no, no, no, 9.84, 8.05, 7.58, 7.96, 8.83 },
    { "batch256", { batch_size = 256 }, no, no, no, no, 8.95, no, 7.75, 8.21 },
    { "batch128", { batch_size = 128 }, no, no, no, no, no, no, 7.96, 7.98, 9.21 },
  }) : published({ { "-400", { epochs = 400 } }, { "-800", { epochs = 800 } }, { "-1600", { epochs = 1600 } } },
    { { "batch4096-lr0.02", { batch_size = 4096, base_lr = 0.02 }, 7.53, 7.48, 7.37 } }) : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
