-- learning_rate.lua: learning rates for each batch size, pre-activation ResNet-20 on CIFAR-10
local icl, rates, no = require "icl", { 3.2, 2.4, 2.0, 1.6, 1.2, 0.8, 0.4, 0.2, 0.1, 0.05, 0.025 }, false
for k, rate in ipairs(rates) do rates[k] = { "-lr" .. rate, { base_lr = rate } } end
local opt = icl.options "Learning rates for each batch size, pre-activation ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, schedule = "cosine", epochs = 200 }
  : published(rates, {
    { "batch4096", { batch_size = 4096 }, no, no, no, 10.32, no, 10.71 },
    { "batch2048", { batch_size = 2048 }, 11.34, 8.69, 8.81, 8.73, no, 9.62 },
    { "batch1024", { batch_size = 1024 }, 9.12, 8.42, 8.38, 8.07, 8.25, 8.08, 8.49 },
    { "batch512", { batch_size = 512 }, 8.51, no, no, 7.73, no, 7.73, 8.22 },
    { "batch256", { batch_size = 256 }, 9.64, no, no, 8.32, no, 7.45, 7.68, 8.61 },
    { "batch128", { batch_size = 128 }, no, no, no, 9.03, no, 7.54, 7.28, 7.96, 8.09, 8.81, 10.07 },
    { "batch64", { batch_size = 64 }, no, no, no, no, no, no, 7.42, 7.52, 7.78, 8.22 },
    { "batch32", { batch_size = 32 }, no, no, no, no, no, no, no, 7.64, 7.25, 7.45, 8.00 },
  }) : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
