-- test_plans.lua: what the planner makes of a training step of each model family, so that an optimisation that is lost
-- is seen; and that it copes with the deepest networks. Threads and chunk are fixed, and so are the convolution kernels,
-- which would follow from the processor, and the size of the arena with them.
local folder = arg[0]:match "^(.*/)" or "./"
local check = dofile(folder .. "check.lua")
local icl = require "icl"

icl.configure { threads = 2, chunk = 2, precise = true }

-- family, options, then: phases, values computed again, MB kept for later phases, MB computed again, MB of the arena
local expected = {
  { "vgg", { n_channels = { 16, 32 }, n_layers = { 1, 2 } }, 7, 3, 0.57, 0.07, 0.59 },
  { "resnet", { depth = 8, initial_channels = 16 }, 15, 17, 1.12, 1.11, 1.24 },
  { "resnet", { depth = 11, initial_channels = 16, block_type = "bottleneck" }, 21, 22, 2.70, 2.79, 2.65 },
  { "resnet_preact", { depth = 8, initial_channels = 16 }, 15, 10, 1.02, 0.72, 1.17 },
  { "se_resnet_preact", { depth = 8, initial_channels = 16, se_reduction = 4 }, 15, 19, 1.13, 1.90, 1.28 },
  { "wrn", { depth = 10, initial_channels = 16, widening_factor = 2, drop_rate = 0.3 }, 15, 11, 2.04, 1.31, 3.32 },
  { "densenet", { depth = 22, growth_rate = 16, block_type = "bottleneck" }, 43, 49, 6.52, 7.16, 4.22 },
  { "pyramidnet", { depth = 8, initial_channels = 32, alpha = 96, block_type = "basic" }, 23, 16, 4.40, 3.33, 5.24 },
  { "resnext", { depth = 11, cardinality = 4, base_channels = 16, initial_channels = 16 }, 21, 21, 8.92, 6.29, 7.67 },
  { "shake_shake", { depth = 8, initial_channels = 32 }, 15, 19, 4.85, 2.10, 7.61 },
}

local function train_once(model, images)
  local optimizer = icl.optim.sgd(model, { weight_decay = 1e-4 })
  local labels = icl.zeros({ images:size(1) }, "i64")
  return icl.step(function()
    local loss = icl.loss.cross_entropy(model(images), labels)
    loss:backward()
    optimizer:step(0.1)
    return loss
  end):item()
end

local figures = "(%d+) phases; .- (%d+) computed again.-arena ([%d.]+) MB, kept ([%d.]+) MB, computed again ([%d.]+) MB"

for _, row in ipairs(expected) do
  local family, options, phases, again, kept, computed, arena = table.unpack(row)
  options.input = { 16, 16, 3 }
  local name = family .. (options.block_type and " " .. options.block_type or "")
  check(name .. ": phases, what is kept, what is computed again, the arena", function()
    train_once(icl.models[family](options), icl.zeros { 8, 16, 16, 3 })
    check.equal(table.concat({ icl.describe_plan():match(figures) }, " "),
      ("%d %d %.2f %.2f %.2f"):format(phases, again, arena, kept, computed))
  end)
end

-- Values of `f` at once, and as one step.
local function both_ways(f)
  local once, step = { f() }, { icl.step(f) }
  for i, value in ipairs(once) do check.near((value - step[i]):abs():max():item(), 0, 1e-5) end
end

check("a value that is read whole is not written over", function()
  local x = icl.tensor({ 1, 2, 3, 4, 5, 6 }):reshape(2, 1, 1, 3)
  both_ways(function()
    local h = x:global_avg_pool()
    local a, b = h:matmul(h, { transpose_b = true }), h - h:mean(1, true)
    return a, b / (b * b):sum(1, true)
  end)
  local images = icl.random.normal { 5, 2, 2, 4 }
  both_ways(function()
    local h = images:global_avg_pool()
    for _ = 1, 2 do h = h + h:matmul(h, { transpose_b = true }):softmax():matmul(h) end
    return h / (h * h):sum(1, true)
  end)
end)

check("storage that overlaps what is still to be read is not written over", function()
  local s, w, v = icl.random.normal { 4, 8 }, icl.random.normal { 8, 1200 }, icl.random.normal { 8, 1 }
  both_ways(function()  -- a column of a concatenation, repeated along it
    local h = s:softmax()
    local column = h:matmul(v)
    return (icl.concat({ column, h:matmul(w) }, 2) * column):mean(2)
  end)
  both_ways(function()  -- parts of one gradient, two columns apart
    local x = s:matmul(w:requires_grad())
    local y = icl.ops.pad(x, { low = { 0, 2 }, high = { 0, 0 } }) + icl.ops.pad(x, { low = { 0, 0 }, high = { 0, 2 } })
    return icl.grad(y:log_softmax():narrow(2, 700, 1):sum(), { w })[1]
  end)
end)

check("a phase that loses all its ops vanishes", function()
  local x, y = icl.random.normal { 2, 4, 4, 3 }, icl.random.normal { 2, 2, 2, 3 }
  local w = icl.state(icl.random.normal { 3, 3, 3, 2 }, { trainable = true })
  icl.step(function()
    local a = x:conv2d(w:read() * 1) * y:global_avg_pool():sum()
    local loss = (a * a):mean()
    loss:backward()
    return loss
  end)
end)

-- The end of a block is one op with three inputs. What is computed again is so for the next block's sum and in the
-- backward pass.
check("every other output of residual blocks is computed again from the one before", function()
  train_once(icl.models.resnet { depth = 26, initial_channels = 16, input = { 16, 16, 3 } }, icl.zeros { 8, 16, 16, 3 })
  local times, plan = {}, icl.describe_plan()
  for layer in plan:gmatch "scale_shift [^\n]*%(%%%d+ %%%d+ %%%d+%) ([%w.]+)" do
    times[layer] = (times[layer] or 0) + 1
  end
  for stage = 1, 3 do
    for block = 1, 4 do check.equal(times[("stage%d.block%d"):format(stage, block)], block % 2 == 1 and 3 or 1) end
  end
  check.equal(plan:match " relu f32", nil)
end)

check("an evaluation does not hold the prepared weights of all layers at once", function()
  local layers = {}
  for i = 1, 6 do layers[i] = icl.nn.conv2d(192, 192, 3) end
  local model, images = icl.nn.sequential(layers):eval(), icl.random.normal { 20, 4, 4, 192 }
  local function pass(x)
    local y = icl.no_grad(icl.step, function() return model(x) end)
    local plan = icl.describe_plan()
    return y, tonumber(plan:match "(%d+) phases"), tonumber(plan:match "arena ([%d.]+) MB")
  end
  local y, phases, arena = pass(images)
  check.equal(phases, 6)
  check.equal(arena < 2 * 4 * 9 * 192 * 192 / 1e6, true)
  local few, one_phase = pass(images:narrow(1, 1, 16))
  check.equal(one_phase, 1)
  check.equal((y:narrow(1, 1, 16) - few):abs():max():item(), 0)
end)

-- Thin forms of the deepest networks that were published: family, options, batch norms (of which each needs a phase in
-- the forward pass and one in the backward pass).
local deep = {
  { "resnet_preact", { depth = 1001, block_type = "bottleneck", initial_channels = 4 }, 1000 },
  { "pyramidnet", { depth = 272, block_type = "bottleneck", initial_channels = 4, alpha = 8 }, 362 },
  { "densenet", { depth = 250, block_type = "bottleneck", growth_rate = 4 }, 249 },
}

for _, row in ipairs(deep) do
  local family, options, norms = table.unpack(row)
  options.input = { 8, 8, 3 }
  check(("%s-%d is planned and trains"):format(family, options.depth), function()
    local model, images = icl.models[family](options), icl.random.normal { 4, 8, 8, 3 }
    local before = icl.statistics().plans_made
    local loss = train_once(model, images)
    check.equal(loss < math.huge, true)
    check.equal(icl.statistics().plans_made, before + 1)
    check.equal(tonumber(icl.describe_plan():match "(%d+) phases"), 2 * norms + 1)
  end)
end

check.close()
