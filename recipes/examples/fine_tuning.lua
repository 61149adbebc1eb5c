-- fine_tuning.lua: a network that was trained on other images gets a new last layer; its first layers stay as they are,
-- the others move more slowly than the new one.
--
--   icl recipes/resnet_preact.lua --dataset cifar100 --depth 20 --output runs/first
--   icl recipes/examples/fine_tuning.lua --dataset cifar10 --from runs/first/weights.safetensors
local icl = require "icl"
local opt = icl.options "Fine-tuning of a pre-activation ResNet"
  : value("from", nil, "the file of weights to start from", { type = "path" })
  : value("frozen_stages", 1, "stages that stay as they are, with the stem", { min = 0, max = 3 })
  : value("lr_scale", 0.1, "rate of the old layers, relative to that of the new one", { min = 0 })
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { epochs = 10, base_lr = 0.05, schedule = "cosine", depth = 20 }
  : parse(arg)

local train, val, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
if opt.from then
  local differences = model:load(opt.from, { except = "fc" })
  print("Begins anew: " .. table.concat(differences.left, ", "))
end

-- Frozen layers are not trained; their batch norm still follows the new images.
model.conv:freeze()
for i = 1, opt.frozen_stages do model["stage" .. i]:freeze() end

local old, new = {}, {}
for _, parameter in ipairs(model:named_parameters()) do
  local group = parameter.name:find "^fc%." and new or old
  group[#group + 1] = parameter
end

icl.fit {
  model = model, train = train, val = val, test = test, options = opt,
  optimizer = icl.optim.sgd({
    { name = "old", parameters = old, lr_scale = opt.lr_scale },
    { name = "new", parameters = new, weight_decay = 0 },
  }, { weight_decay = opt.weight_decay, momentum = opt.momentum }),
}
