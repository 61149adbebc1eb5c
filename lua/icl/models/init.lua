-- models: networks; icl.models.names lists them. Each is a class: icl.models.resnet { depth = 20, classes = 10 } makes
-- one, and icl.models.resnet.options lists its options.
local arguments = require "icl.internal.arguments"
local datasets = require "icl.internal.datasets"
local fail = require "icl.internal.fail"
local usage = require "icl.internal.usage"

local models = {}

-- icl.models.first_weights(): the options about first weights, for recipes with a choice of families.
function models.first_weights()
  return require "icl.models.network".first_weights
end

-- The form of a family that a set of images needs.
local function form_of(family, set)
  local wanted = set.form or "cifar"
  for _, form in ipairs(family.options.specs.type.choices) do
    if form == wanted then return form end
  end
  fail("icl.models.from_options: %s has no form %s, which this set is for; use another model, or {type} cifar",
    family.class_name, wanted)
end

-- icl.models.from_options(options, set [, name]) -> a model of the family `name`, options.model unless it is given,
-- with those of the options that are its own, for the images and classes of a set: what recipes do with the options of
-- their command line. Without options.type the form is the one that the set is for: imagenet for image folders, else
-- cifar. Without options.head_init the last layer begins as published for sets that figures were published for, and
-- small for one's own: the published rule is the larger the fewer classes there are, and a run needs epochs to recover
-- from it.
function models.from_options(options, set, name, ...)
  local what = "icl.models.from_options"
  arguments.no_more(what, "options, a set and the name of a family", ...)
  arguments.typed(what .. ": options", options, "table", "a table of options")
  arguments.typed(what .. ": set", set, "table", "a set, or a table with its shape and classes")
  local family = models[arguments.choice(what .. ": name", name or options.model, models.names)]
  local own = family.options:select(options)
  own.type = own.type or usage.during(options, form_of, family, set)
  own.head_init = own.head_init or datasets.own[set.name] and "default" or "published"
  own.input, own.classes = set.shape, set.classes
  return usage.during(options, family, own)
end

return require "icl.internal.lazy"(models, "icl.models", {
  "densenet", "pyramidnet", "resnet", "resnet_preact", "resnext", "se_resnet_preact", "shake_shake", "vgg", "wrn",
})
