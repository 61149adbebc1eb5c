-- residual_unit.lua: variations of the residual unit of a pre-activation ResNet-56 on CIFAR-10 (Han et al. 2017)
local icl = require "icl"
local all, first = { true, true, true }, { true, false, false }
local opt = icl.options "Variations of the residual unit (Han et al. 2017)"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "cifar10", depth = 56, base_lr = 0.2 }
  : preset("A", { preact_stage = all }, "pre-activation before the shortcut of each stage's first block")
  : preset("B", { preact_stage = first }, "only in the first stage")
  : preset("C", { preact_stage = first, remove_first_relu = true }, "B without the first relu")
  : preset("D", { preact_stage = first, add_last_bn = true }, "B with a last batch norm")
  : preset("E", { preact_stage = first, remove_first_relu = true, add_last_bn = true }, "B with both")
  : preset("F", { preact_stage = all, remove_first_relu = true, add_last_bn = true }, "A with both")
  : results "CIFAR-10, test error in %" [[
      | (median of 5)
    A | 6.45
    B | 6.47
    C | 6.14
    D | 6.43
    E | 5.85
    F | 6.27
  ]]
  : results "The best of these, E, trained in other ways" [[
    E
                                 | (median of 5)
    E-cosine: schedule=cosine    | 5.72
    E-cutout: cutout             | 4.96
    E-erasing: random_erasing    | 5.22
    E-mixup: mixup, epochs=300   | 5.11
  ]]
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
icl.fit { model = model, train = train, val = val, test = test, options = opt }
