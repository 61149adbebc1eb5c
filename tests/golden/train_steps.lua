-- train_steps.lua: three whole training steps with schedule, optimizer, clipping and subdivision, against
-- DIR/train_steps/{train_steps.json, common.safetensors, CASE.safetensors}.
local common = dofile((arg[0]:match "^(.*/)" or "./") .. "common.lua")
local icl = require "icl"
local weights = require "icl.weights"

local PARAMETER = 1e-5

local mixtures = { use_mixup = 2, use_cutmix = 2, use_ricap = 4 }  -- label vectors
local known_augmentations = { use_mixup = true, use_cutmix = true, use_ricap = true, use_label_smoothing = true,
                              use_dual_cutout = true }
local DUAL_CUTOUT_ALPHA = 0.1

-- The target of a step: labels, or several label vectors with their weights.
local function target_of(suite, stored, augmentation, step)
  local count = mixtures[augmentation]
  if not count then return stored[("targets%d.0"):format(step - 1)] end
  local target = { labels = {}, weights = { suite.lam[step], 1 - suite.lam[step] } }
  if count == 4 then target.weights = suite.ricap_weights[step] end
  for k = 1, count do target.labels[k] = stored[("targets%d.%d"):format(step - 1, k - 1)] end
  return target
end

-- Images first .. first + length - 1 of a target.
local function part_of(target, first, length)
  if type(target) == "userdata" then return target:narrow(1, first, length) end
  local part = { labels = {}, weights = target.weights }
  for k, labels in ipairs(target.labels) do part.labels[k] = labels:narrow(1, first, length) end
  return part
end

-- What a loss takes: the logits of images, or of each of their two views, which lie side by side.
local function predict(model, images, dual)
  if not dual then return model(images) end
  local width = images:size(3) // 2
  return { model(images:narrow(3, 1, width)), model(images:narrow(3, width + 1, width)) }
end

local function loss_of(logits, target, options)
  if options.dual then return icl.loss.dual_cutout(logits, target, DUAL_CUTOUT_ALPHA, options.smoothing) end
  return icl.loss.cross_entropy(logits, target, options.smoothing)
end

-- One training step in the published code's arithmetic: the loss is the sum of the parts' means.
local function train_step(model, optimizer, lr, images, target, options)
  local n = images:size(1)
  local length = -(-n // options.subdivision)
  return icl.step(function()
    local loss, top1, top5 = 0, 0, 0
    for first = 1, n, length do
      local size = math.min(length, n - first + 1)
      local part = part_of(target, first, size)
      local logits = predict(model, images:narrow(1, first, size), options.dual)
      local part_loss = loss_of(logits, part, options)
      part_loss:backward()
      loss = loss + part_loss
      top1 = top1 + icl.metrics.accuracy(logits, part) * (size / n)
      top5 = top5 + icl.metrics.accuracy(logits, part, 5) * (size / n)
    end
    optimizer:step(lr)
    return loss, top1, top5
  end)
end

local function check_scalar(case, tag, step, value, tolerance)
  local expected = case.scalars_step_value[tag][step]
  local size = math.max(1, math.abs(expected[2]))
  common.bound(("%s of step %d"):format(tag, step), math.abs(value - expected[2]), tolerance * size)
end

local function check_states(model, expected)
  for _, item in ipairs(weights.state_dict(model)) do
    if not expected[item.name] then common.fail("the reference has no %s", item.name) end
    local d = common.difference(common.values(item.tensor), common.values(expected[item.name]))
    common.bound(item.name, d.maximum, PARAMETER * math.max(1, d.largest))
  end
end

local function load_initial(model, stored)
  local list = {}
  for name, tensor in pairs(stored) do
    local own = name:match "^init%.(.*)$"
    if own then list[#list + 1] = { name = own, tensor = tensor } end
  end
  weights.load_state_dict(model, list)
end

-- All steps of a case, with images near the stored ones; compares what is logged.
local function train_case(model, suite, case, stored, augmentation, near)
  local train, schedule_options = case.train, { base_lr = case.train.base_lr, as_published = true }
  for key, value in pairs(suite.scheduler) do schedule_options[key] = value end
  local schedule = icl.schedule(schedule_options)
  local optimizer = common.optimizer(model, train)
  local options = { subdivision = train.subdivision, smoothing = augmentation == "use_label_smoothing" and 0.1 or 0,
                    dual = augmentation == "use_dual_cutout" }
  local name = options.dual and "dual%d" or "data%d"
  local sums = { 0, 0, 0 }
  for step = 1, suite.steps do
    local images = near(common.images(stored[name:format(step - 1)]))
    local target = target_of(suite, stored, augmentation, step)
    local results = { train_step(model, optimizer, schedule(step - 1), images, target, options) }
    for i, tag in ipairs { "Train/RunningLoss", "Train/RunningAcc1", "Train/RunningAcc5" } do
      sums[i] = sums[i] + results[i]:item()
      check_scalar(case, tag, step, sums[i] / step, i == 1 and 1e-4 or 1e-6)
    end
    check_scalar(case, "Train/RunningLearningRate", step, schedule(step - 1), 1e-12)
  end
end

local function run(suite, case, stored, expected, augmentation)
  local name, block = suite.model.name, {}
  for key, value in pairs(suite.model) do
    if key ~= "name" then block[key] = value end
  end
  local model, reason = common.model { model = { name = name, [name] = block },
                                       dataset = { image_size = 32, n_channels = 3, n_classes = 10 } }
  if not model then return reason end
  common.beside_kinks(function(near)
    load_initial(model, stored)
    train_case(model, suite, case, stored, augmentation, near)
    check_states(model, expected)
  end)
end

local function check(folder, suite, stored, id)
  local case = suite.cases[id]
  local augmentation = type(case.augmentation) == "string" and case.augmentation or nil
  if augmentation and not known_augmentations[augmentation] then return "there is no " .. augmentation end
  local expected = common.tensors(("%s/%s.safetensors"):format(folder, id))
  if not expected then return "its data file is not there" end
  return run(suite, case, stored, expected, augmentation)
end

local folder = common.folder() .. "/train_steps"
local suite = common.json(folder .. "/train_steps.json")
local stored = common.tensors(folder .. "/common.safetensors")
common.cases(suite.cases, function(id) return check(folder, suite, stored, id) end)
common.close()
