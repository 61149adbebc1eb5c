-- vgg.lua: VGG (Simonyan and Zisserman 2015)
local icl = require "icl"
local opt = icl.options "VGG (Simonyan and Zisserman 2015)"
  : include(icl.models.vgg.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10" }
  : preset("vgg15", { epochs = 160 }, "the published figure is of a network with one relu a stage")
  : preset("vgg16", { dataset = "imagenet", batch_size = 256, subdivision = 8, base_lr = 0.01, weight_decay = 5e-4,
                      epochs = 90, milestones = { 30, 60 } }, "ImageNet; no figure was published")
  : results "CIFAR-10, test error in %" [[
          | (one relu a stage)
    vgg15 | 7.29
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
icl.fit { model = icl.models.from_options(opt, train, "vgg"), train = train, val = val, test = test, options = opt }
