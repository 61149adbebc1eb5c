-- test_plans.lua: what the planner makes of a training step of each model family, so that an optimisation that is lost
-- is seen. Threads and chunk are fixed, and the expected figures do not depend on kernels.
local folder = arg[0]:match "^(.*/)" or "./"
local check = dofile(folder .. "check.lua")
local icl = require "icl"

icl.configure { threads = 2, chunk = 2 }

-- family, options, then: phases, values computed again, MB kept for later phases, MB computed again
local expected = {
  { "vgg", { n_channels = { 16, 32 }, n_layers = { 1, 2 } }, 7, 3, 0.57, 0.07 },
  { "resnet", { depth = 8, initial_channels = 16 }, 15, 9, 1.38, 0.59 },
  { "resnet", { depth = 11, initial_channels = 16, block_type = "bottleneck" }, 21, 12, 2.95, 1.21 },
  { "resnet_preact", { depth = 8, initial_channels = 16 }, 15, 9, 1.38, 0.69 },
  { "se_resnet_preact", { depth = 8, initial_channels = 16, se_reduction = 4 }, 15, 9, 1.52, 0.69 },
  { "wrn", { depth = 10, initial_channels = 16, widening_factor = 2, drop_rate = 0.3 }, 15, 10, 2.49, 1.25 },
  { "densenet", { depth = 22, growth_rate = 16, block_type = "bottleneck" }, 43, 31, 9.17, 6.13 },
  { "pyramidnet", { depth = 8, initial_channels = 16, alpha = 48, block_type = "basic" }, 23, 15, 2.62, 1.63 },
  { "resnext", { depth = 11, cardinality = 4, base_channels = 16, initial_channels = 16 }, 21, 13, 9.44, 4.19 },
  { "shake_shake", { depth = 8, initial_channels = 32 }, 15, 19, 6.29, 1.64 },
}

local function train_once(model)
  local optimizer = icl.optim.sgd(model, { weight_decay = 1e-4 })
  local images, labels = icl.zeros { 8, 16, 16, 3 }, icl.zeros({ 8 }, "i64")
  icl.step(function()
    icl.loss.cross_entropy(model(images), labels):backward()
    optimizer:step(0.1)
  end)
end

for _, row in ipairs(expected) do
  local family, options, phases, again, kept, computed = table.unpack(row)
  options.input = { 16, 16, 3 }
  local name = family .. (options.block_type and " " .. options.block_type or "")
  check(name .. ": phases, what is kept, what is computed again", function()
    train_once(icl.models[family](options))
    local plan = icl.describe_plan()
    local found = { plan:match "(%d+) phases; .- (%d+) computed again.-kept ([%d.]+) MB, computed again ([%d.]+) MB" }
    check.equal(table.concat(found, " "), ("%d %d %.2f %.2f"):format(phases, again, kept, computed))
  end)
end

check.close()
