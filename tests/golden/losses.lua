-- losses.lua: losses, their gradients and training accuracies, against DIR/losses/{losses.json, losses.safetensors};
-- clipping of gradients, against clip_grad_norm.json.
local common = dofile((arg[0]:match "^(.*/)" or "./") .. "common.lua")
local icl = require "icl"

local LOSS, GRADIENT, ACCURACY, CLIPPED = 1e-6, 1e-6, 1e-6, 1e-6

-- The target of a case: labels, or several label vectors with weights; and the share of it that is spread over all
-- classes. As published, mixup goes before RICAP, RICAP before CutMix, and each of them before label smoothing.
local function target_of(suite, stored, flags, options)
  if flags.use_ricap and not flags.use_mixup then
    return { labels = { stored.targets1, stored.targets2, stored.targets3, stored.targets4 },
             weights = suite.ricap_weights }, 0
  elseif flags.use_mixup or flags.use_cutmix then
    return { labels = { stored.targets1, stored.targets2 }, weights = { suite.lam, 1 - suite.lam } }, 0
  end
  return stored.targets, flags.use_label_smoothing and (options.label_smoothing__epsilon or 0.1) or 0
end

local function check_gradient(name, stored, state)
  local difference = common.difference(common.values(state.grad), common.values(stored))
  common.bound(name, difference.maximum, GRADIENT * math.max(1, difference.largest))
end

local function check(suite, stored, id)
  local case, flags = suite.cases[id], {}
  for _, flag in ipairs(case.flags) do flags[flag] = true end
  local target, smoothing = target_of(suite, stored, flags, case.options)
  local views = { icl.state(stored.logits, { trainable = true }), icl.state(stored.logits2, { trainable = true }) }
  local logits = flags.use_dual_cutout and { views[1] * 1, views[2] * 1 } or views[1] * 1
  local loss
  if flags.use_dual_cutout then
    loss = icl.loss.dual_cutout(logits, target, case.options.cutout__dual_cutout_alpha or 0.1, smoothing)
  else
    loss = icl.loss.cross_entropy(logits, target, smoothing)
  end
  loss:backward()
  common.bound("loss", math.abs(loss:item() - case.loss), LOSS * math.max(1, case.loss))
  for k, expected in pairs { [1] = case.acc1, [5] = case.acc5 } do
    common.bound("accuracy", math.abs(icl.metrics.accuracy(logits, target, k):item() - expected), ACCURACY)
  end
  check_gradient("gradient", stored[id .. ".grad_logits"], views[1])
  if flags.use_dual_cutout then check_gradient("gradient of view 2", stored[id .. ".grad_logits2"], views[2]) end
end

-- Clipped gradients are what a step of SGD at rate 1 takes off.
local function check_clipping(input, expected, limit)
  local states, gradients, model = {}, {}, icl.nn.layer "clipped"()
  for i, values in ipairs(input) do
    gradients[i] = icl.tensor(values)
    states[i] = icl.state(icl.zeros { #values }, { trainable = true })
    model["p" .. i] = states[i]
  end
  local optimizer = icl.optim.sgd(model, { momentum = 0, nesterov = false, weight_decay = 0, gradient_clip = limit })
  icl.step(function()
    local loss = 0
    for i, state in ipairs(states) do loss = loss + (state * gradients[i]):sum() end
    loss:backward()
    optimizer:step(1)
  end)
  for i, state in ipairs(states) do
    local difference = common.difference(common.values(-state), expected["grad" .. i - 1])
    common.bound("gradient " .. i, difference.maximum, CLIPPED * math.max(1, difference.largest))
  end
end

local folder = common.folder() .. "/losses/"
local suite, stored = common.json(folder .. "losses.json"), common.tensors(folder .. "losses.safetensors")
common.cases(suite.cases, function(id) return check(suite, stored, id) end)

local clipping, ids = common.json(folder .. "clip_grad_norm.json"), {}
for id in pairs(clipping) do ids[#ids + 1] = id:match "^max" and id end
table.sort(ids)
for _, id in ipairs(ids) do
  common.case("clip_grad_norm " .. id, function()
    return check_clipping(clipping.input, clipping[id], tonumber(id:match "^max(.*)$"))
  end)
end
common.close()
