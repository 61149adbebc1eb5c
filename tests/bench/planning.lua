-- planning.lua: how long the deepest networks take to be recorded, once a step, and to be planned, once a run.
--
--   build/release/icl tests/bench/planning.lua
local core = require "icl.core"
local icl = require "icl"

local networks = {
  { "resnet_preact", { depth = 1001, block_type = "bottleneck" } },
  { "pyramidnet", { depth = 272, block_type = "bottleneck", alpha = 200 } },
  { "densenet", { depth = 250, block_type = "bottleneck", growth_rate = 24 } },
}

local STEPS = 5
local images, labels = icl.zeros { 2, 32, 32, 3 }, icl.zeros({ 2 }, "i64")

-- One step; -> the seconds in which its ops were recorded.
local function train(model, optimizer)
  return icl.step(function()
    local started = core.clock()
    icl.loss.cross_entropy(model(images), labels):backward()
    optimizer:step(0.001)
    return core.clock() - started
  end)
end

print "network              nodes   recording, us a node   planning, s"
for _, row in ipairs(networks) do
  local family, options = table.unpack(row)
  local model = icl.models[family](options)
  local optimizer = icl.optim.sgd(model)
  local before = icl.statistics().plan_seconds
  train(model, optimizer)
  local planning, recording = icl.statistics().plan_seconds - before, math.huge
  for _ = 1, STEPS do recording = math.min(recording, train(model, optimizer)) end
  local nodes = tonumber(icl.describe_plan():match "^(%d+) nodes")
  print(("%-18s %7d %22.2f %13.2f"):format(("%s-%d"):format(family, options.depth), nodes, 1e6 * recording / nodes,
    planning))
end
