-- models: networks; icl.models.names lists them. Each is a class: icl.models.resnet { depth = 20, classes = 10 } makes
-- one, and icl.models.resnet.options lists its options.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"

local models = {}

-- The form of a family that a set of images needs.
local function form_of(name, family, set)
  local wanted = set.form or "cifar"
  for _, form in ipairs(family.options.specs.type.choices) do
    if form == wanted then return form end
  end
  fail('icl.models.build: %s has no form %s, which this set is for; use another model, or ask for type = "cifar" ' ..
    "(--type cifar)", name, wanted)
end

-- icl.models.build(name, options, set) -> a model of the family with those of the options that are its own, for the
-- images and classes of a set: what recipes do with the options of their command line. Without options.type the form is
-- the one that the set is for: imagenet for image folders, else cifar.
function models.build(name, options, set)
  arguments.typed("icl.models.build: options", options, "table", "a table of options")
  arguments.typed("icl.models.build: set", set, "table", "a set, or a table with its shape and classes")
  local family = models[arguments.choice("icl.models.build: name", name, models.names)]
  local own = family.options:select(options)
  own.type = own.type or form_of(name, family, set)
  own.input, own.classes = set.shape, set.classes
  return family(own)
end

return require "icl.internal.lazy"(models, "icl.models", {
  "densenet", "pyramidnet", "resnet", "resnet_preact", "resnext", "se_resnet_preact", "shake_shake", "vgg", "wrn",
})
