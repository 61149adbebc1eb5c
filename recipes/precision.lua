-- precision.lua: activations stored in 16 bits, pre-activation ResNet-20 on CIFAR-10
local icl = require "icl"
local opt = icl.options "Activations stored in 16 bits, pre-activation ResNet-20"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 20, schedule = "cosine", epochs = 200 }
for _, row in ipairs {  -- batch, rate, test errors with f32, with f16 mixed with f32
  { 8192, 1.6, "12.35 % on a V100", "11.78 %, on a V100 11.92 %" },
  { 4096, 1.6, "10.32 %, on a V100 9.88 %", "10.48 %, on a V100 10.16 %" },
  { 2048, 1.6, "8.73 %, on a V100 8.87 %", "8.98 %, on a V100 9.10 %" },
  { 1024, 1.6, "8.07 %, on a V100 8.45 %", "8.05 %, on a V100 7.84 %" },
  { 512, 0.8, "7.73 %", "7.81 %" }, { 256, 0.8, "7.45 %", "7.58 %" }, { 128, 0.4, "7.28 %", "7.37 %" } } do
  opt:preset("f32-" .. row[1], { batch_size = row[1], base_lr = row[2] }, row[3])
  opt:preset("bf16-" .. row[1], { batch_size = row[1], base_lr = row[2], precision = "bf16" }, row[4] .. " with f16")
end
opt = opt:parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
