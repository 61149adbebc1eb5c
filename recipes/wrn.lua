-- wrn.lua: Wide ResNet (Zagoruyko and Komodakis 2016), also regularised
local icl = require "icl"
local function cosine(epochs) return { base_lr = 0.2, schedule = "cosine", epochs = epochs } end
local function ricap(parts) return { ricap = true, random_crop = false, batch_size = 512, subdivision = parts } end
local opt = icl.options "Wide ResNet (Zagoruyko and Komodakis 2016)"
  : include(icl.models.wrn.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", init_mode = "kaiming_fan_in", weight_decay = 5e-4, epochs = 200 }
  : default { milestones = { 60, 120, 160 }, lr_decay = 0.2 }
  : preset("28-10", { batch_size = 64 }, "4.03 %; in the paper 4.00 %")
  : preset("28-10-dropout", { batch_size = 64, drop_rate = 0.3 }, "in the paper 3.89 %")
  : published({ { "-200", cosine(200) }, { "-400", cosine(400) } }, {
    { "cutout", { cutout = true }, 3.19, 3.07 }, { "dual-cutout", { dual_cutout = true }, 2.87, 2.76 },
    { "mixup", { mixup = true }, 3.32, 3.04 }, { "ricap", { ricap = true, random_crop = false }, 2.83, 2.71 },
  }) : published({ { "", cosine(200) } }, {  -- on 1 to 8 devices with batch statistics of their own, as parts have here
    { "ricap-1x512", ricap(1), 2.63 }, { "ricap-2x256", ricap(2), 2.71 }, { "ricap-4x128", ricap(4), 2.89 },
    { "ricap-8x64", ricap(8), 2.75 } }) : parse(arg)

local train, val, test = icl.data.open(opt)
icl.fit { model = icl.models.from_options(opt, train, "wrn"), train = train, val = val, test = test, options = opt }
