-- models.lua: small networks with stored weights, in evaluation and training mode with gradients and running
-- statistics, against DIR/models/CASE/{case.json, weights.safetensors, io.safetensors}.
local common = dofile((arg[0]:match "^(.*/)" or "./") .. "common.lua")
local icl = require "icl"

local LOGITS, LOSS, GRADIENT, STATISTIC = 1e-4, 1e-5, 1e-4, 1e-5

-- Names and number of the parameters.
local function check_parameters(model, case)
  local parameters = model:named_parameters()
  for i, name in ipairs(case.param_order) do
    local own = parameters[i] and parameters[i].name
    if own ~= name then common.fail("parameter %d is %s, not %s", i, own, name) end
  end
  local count, expected = #parameters, #case.param_order
  if count ~= expected then common.fail("%d parameters, not %d", count, expected) end
  common.check_count(model, case.n_params)
end

local function check_logits(what, logits, expected)
  local d = common.difference(common.values(logits), common.values(expected))
  common.bound(what, d.maximum, LOGITS * d.largest)
end

local function check_evaluation(model, io)
  local before = {}
  for i, entry in ipairs(model:named_states()) do before[i] = entry.state:bytes() end
  model:eval()
  local logits = icl.step(function() return model(common.images(io.input)) end)
  check_logits("logits in evaluation", logits, io.logits_eval_f64)
  for i, entry in ipairs(model:named_states()) do
    if entry.state:bytes() ~= before[i] then common.fail("evaluation changed %s", entry.name) end
  end
end

local function check_gradients(gradients, case, io)
  local total = 0
  for _, name in ipairs(case.param_order) do
    for _, value in ipairs(common.values(io["grad." .. name])) do total = total + value * value end
  end
  total = math.sqrt(total)
  for _, name in ipairs(case.param_order) do
    if not gradients[name] then common.fail("no gradient for %s", name) end
    local d = common.difference(common.values(gradients[name]), common.values(io["grad." .. name]))
    common.bound("gradient of " .. name, d.norm, GRADIENT * math.max(d.reference, 1e-3 * total))
  end
end

local function check_statistics(model, io)
  local found = 0
  for _, entry in ipairs(model:named_states()) do
    local expected = io["after." .. entry.name]
    if expected then
      found = found + 1
      local d = common.difference(common.values(entry.state:read()), common.values(expected))
      common.bound("statistic " .. entry.name, d.maximum, STATISTIC * math.max(1, d.largest))
    end
  end
  for name in pairs(io) do
    if name:find "^after%." then found = found - 1 end
  end
  if found ~= 0 then common.fail("the names of the running statistics differ") end
end

local function check(path)
  local case = common.json(path .. "/case.json")
  local model, reason = common.model(case)
  if not model then return reason end
  local io = common.tensors(path .. "/io.safetensors")
  if not io or not common.read(path .. "/weights.safetensors") then return "its data files are not there" end
  check_parameters(model, case)
  common.give_draws(model, io)
  model:load(path .. "/weights.safetensors")
  check_evaluation(model, io)
  common.beside_kinks(function(near)
    model:load(path .. "/weights.safetensors")
    local logits, loss, gradients = common.train(model, near(common.images(io.input)), io.labels)
    check_logits("logits in training", logits, io.logits_train_f64)
    common.bound("loss", math.abs(loss:item() - common.values(io.loss_train_f64)[1]), LOSS)
    check_gradients(gradients, case, io)
    check_statistics(model, io)
  end)
end

local folder = common.folder() .. "/models"
for _, name in ipairs(common.names(folder)) do
  common.case(name, function() return check(folder .. "/" .. name) end)
end
common.close()
