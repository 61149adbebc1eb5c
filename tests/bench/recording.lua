-- recording.lua: what the host does in a training step before the device has anything to do.
--   icl tests/bench/recording.lua resnet_preact depth=20
--   icl tests/bench/recording.lua shake_shake depth=26
-- shows the best of 40 steps of two images. `plan` is the canonical form and the look-up of its plan, in the mean.
local core = require "icl.core"
local icl = require "icl"

local STEPS, BATCH = 40, 2

local name, options = arg[1] or "resnet_preact", { input = { 32, 32, 3 }, classes = 10 }
for key, value in (arg[2] or "depth=20"):gmatch "([%w_]+)=(%d+)" do options[key] = math.tointeger(value) end

local model = icl.models[name](options)
local optimizer = icl.optim.sgd(model, { momentum = 0.9, nesterov = true, weight_decay = 1e-4 })
local x = icl.random.normal { BATCH, 32, 32, 3 }:cast "bf16"
local y = icl.tensor({ 1, 2 }, { dtype = "i64" })

local best = { forward = math.huge, backward = math.huge, optimizer = math.huge }

local function note(part, since)
  local now = core.clock()
  best[part] = math.min(best[part], now - since)
  return now
end

for _ = 1, STEPS do
  icl.step(function()
    local time = core.clock()
    local loss = icl.loss.cross_entropy(model(x), y)
    time = note("forward", time)
    loss:backward()
    time = note("backward", time)
    optimizer:step(0.1)
    note("optimizer", time)
    return loss
  end)
end

local all = icl.statistics()
print(("forward %.3f, backward %.3f, optimizer %.3f, plan %.3f ms"):format(1e3 * best.forward, 1e3 * best.backward,
  1e3 * best.optimizer, 1e3 * (all.record_seconds - all.plan_seconds) / all.evaluations))
