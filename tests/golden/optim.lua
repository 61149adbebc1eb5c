-- optim.lua: optimizers step by step on given gradients, against DIR/optim/{optim.json, common.safetensors,
-- CASE.safetensors}: every parameter after every step, and the states after the last.
local common = dofile((arg[0]:match "^(.*/)" or "./") .. "common.lua")
local icl = require "icl"

local TOLERANCE = 1e-6

local function check_parameter(what, tensor, expected)
  local d = common.difference(common.values(tensor), common.values(expected))
  common.bound(what, d.maximum, TOLERANCE)
end

-- A mean of squares can be large: f32 rounds it in proportion.
local function check_state(what, tensor, expected)
  local d = common.difference(common.values(tensor), common.values(expected))
  common.bound(what, d.maximum, TOLERANCE * math.max(1, d.largest))
end

-- The parameters of the suite, sorted by name: list of { name, state }.
local function parameters_of(stored)
  local list = {}
  for name, tensor in pairs(stored) do
    local own = name:match "^init%.(.*)$"
    if own then list[#list + 1] = { name = own, state = icl.state(tensor, { name = own, trainable = true }) } end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

-- One step in which the gradient of each parameter is that stored.
local function step(optimizer, parameters, stored, k, lr)
  icl.step(function()
    for _, parameter in ipairs(parameters) do
      (parameter.state * stored[("grad%d.%s"):format(k, parameter.name)]):sum():backward()
    end
    optimizer:step(lr)
  end)
end

local function run(suite, case, stored, expected)
  local parameters = parameters_of(stored)
  local optimizer = common.optimizer({ { parameters = parameters } }, case)
  for k, lr in ipairs(suite.lr_per_step) do
    step(optimizer, parameters, stored, k, lr)
    for _, parameter in ipairs(parameters) do
      local name = ("step%d.%s"):format(k, parameter.name)
      check_parameter(name, parameter.state, expected[name])
    end
  end
  local own = {}
  for _, item in ipairs(optimizer:state_dict()) do own["state." .. item.name] = item.tensor end
  for name, tensor in pairs(expected) do
    if name:find "^state%." then check_state(name, own[name] or common.fail("there is no %s", name), tensor) end
  end
end

local folder = common.folder() .. "/optim"
local suite = common.json(folder .. "/optim.json")
local stored = common.tensors(folder .. "/common.safetensors")
common.cases(suite.cases, function(id, case)
  local expected = common.tensors(("%s/%s.safetensors"):format(folder, id))
  if not expected then return "its data file is not there" end
  return run(suite, case, stored, expected)
end)
common.close()
