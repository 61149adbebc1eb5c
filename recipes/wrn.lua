-- wrn.lua: Wide ResNet (Zagoruyko and Komodakis 2016), also regularised
local icl = require "icl"
local opt = icl.options "Wide ResNet (Zagoruyko and Komodakis 2016)"
  : include(icl.models.wrn.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", init_mode = "kaiming_fan_in", weight_decay = 5e-4, epochs = 200 }
  : default { milestones = { 60, 120, 160 }, lr_decay = 0.2 }
  : preset("28-10", { batch_size = 64 }, "the network of the paper")
  : preset("28-10-dropout", { batch_size = 64, drop_rate = 0.3 }, "with dropout")
  : results "CIFAR-10, test error in %" [[
                  | (reproduced)  (in the paper)
    28-10         | 4.03          4.00
    28-10-dropout | -             3.89
  ]]
  : results "CIFAR-10, regularised, test error in %" [[
    base_lr=0.2, schedule=cosine
                                 | epochs=200  400
    cutout                       | 3.19        3.07
    mixup                        | 3.32        3.04
    ricap: ricap, no random_crop | 2.83        2.71
    dual_cutout                  | 2.87        2.76
  ]]
  -- Each GPU had batch statistics of its own, and images were mixed with those of the same GPU. In one process
  -- `--batch-size 512 --subdivision 4 --mix-with part` computes what four compute.
  : results "CIFAR-10, RICAP on 1 to 8 GPUs, test error in %" [[
    base_lr=0.2, schedule=cosine, ricap, no random_crop
                                                      | (V100)
    ricap-1x512: batch_size=512                       | 2.63
    ricap-2x256: global_batch_size=512, world_size=2  | 2.71
    ricap-4x128: global_batch_size=512, world_size=4  | 2.89
    ricap-8x64: global_batch_size=512, world_size=8   | 2.75
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
icl.fit { model = icl.models.from_options(opt, train, "wrn"), train = train, val = val, test = test, options = opt }
