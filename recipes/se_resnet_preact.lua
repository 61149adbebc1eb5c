-- se_resnet_preact.lua: pre-activation ResNet with squeeze-excitation (Hu et al. 2018)
local icl = require "icl"
local opt = icl.options "Pre-activation ResNet with squeeze-excitation (Hu et al. 2018)"
  : include(icl.models.se_resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", remove_first_relu = true, add_last_bn = true, preact_stage = { true, false, false } }
  : preset("se110", { depth = 110 }, "no figure was published")
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "se_resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
