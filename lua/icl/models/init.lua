-- models: networks; icl.models.names lists them. Each is a class: icl.models.resnet { depth = 20, classes = 10 } makes
-- one, and icl.models.resnet.options lists its options.
local arguments = require "icl.arguments"

local models = {}

-- icl.models.build(name, options, set) -> a model of the family with those of the options that are its own, for the
-- images and classes of a set: what recipes do with the options of their command line.
function models.build(name, options, set)
  local family = models[arguments.choice("icl.models.build: name", name, models.names)]
  local own = family.options:select(options)
  own.input, own.classes = set.shape, set.classes
  return family(own)
end

return require "icl.lazy"(models, "icl.models", {
  "densenet", "pyramidnet", "resnet", "resnet_preact", "resnext", "se_resnet_preact", "shake_shake", "vgg", "wrn",
})
