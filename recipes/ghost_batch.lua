-- ghost_batch.lua: batch statistics of 128 images in larger batches (Hoffer et al. 2017), ResNet-20 on CIFAR-10
local icl = require "icl"
local opt = icl.options "Batch statistics of 128 images in larger batches (Hoffer et al. 2017), ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, schedule = "cosine", base_lr = 1.6 }
for _, row in ipairs {  -- batch, test errors with 200 and 1600 epochs; the same with statistics of the whole batch
  { 8192, 11.51, 11.83, 12.35, false }, { 4096, 9.73, 8.95, 10.32, 8.25 }, { 2048, 8.77, 7.23, 8.73, 7.34 },
  { 1024, 7.82, 7.08, 8.07, 6.94 },
} do
  opt:published({ { "-200", { epochs = 200, subdivision = row[1] // 128 } },
                { "-1600", { epochs = 1600, subdivision = row[1] // 128 } },
                { "-whole-200", { epochs = 200 } }, { "-whole-1600", { epochs = 1600 } } },
    { { "batch" .. row[1], { batch_size = row[1] }, table.unpack(row, 2) } })
end
opt = opt:parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
