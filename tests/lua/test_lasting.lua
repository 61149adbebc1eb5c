-- test_lasting.lua: what steps of few images keep of their weights from one step to the next, and when they let go of it.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local core = require "icl.core"
local icl = require "icl"
local nn = icl.nn

local function new_model()
  return nn.sequential {
    nn.conv2d(3, 16, 3), nn.batch_norm(16), nn.relu(), nn.conv2d(16, 32, 3, { stride = 2 }), nn.batch_norm(32), nn.relu(),
    nn.conv2d(32, 32, 1), nn.global_avg_pool(), nn.linear(32, 10),
  }:eval()
end

local model = new_model()
local images = icl.random.normal { 2, 16, 16, 3 }

local function pass(net, x)
  return icl.no_grad(icl.step, function() return net(x) end):bytes()
end

local function lasting() return icl.statistics().lasting_bytes end
local function first_weight(net) return net[1].weight end

check("the second pass keeps the weights as its kernels want them, and later ones use that", function()
  check.equal(lasting(), 0)
  local first = pass(model, images)
  check.equal(lasting(), 0)
  check.equal(pass(model, images), first)
  local kept = lasting()
  check.equal(kept > 4 * (9 * 16 * 32 + 32 * 32), true)
  for _ = 1, 3 do check.equal(pass(model, images), first) end
  check.equal(lasting(), kept)
  local others = icl.random.normal { 2, 16, 16, 3 }
  local result = pass(model, others)
  check.equal(result ~= first, true)
  check.equal(lasting(), kept)
  first_weight(model):set(first_weight(model):read():totable())
  check.equal(pass(model, others), result)
end)

-- Passes until weights are kept, then changes the model; afterwards a pass must be that of a model without a history.
local function check_change(change)
  local net = new_model()
  local before = pass(net, images)
  pass(net, images)
  check.equal(lasting() > 0, true)
  change(net)
  check.equal(lasting(), 0)
  local after = pass(net, images)
  check.equal(after ~= before, true)
  pass(net, images)
  pass(net, images)
  check.equal(lasting() > 0, true)
  check.equal(pass(net, images), after)
  local other = new_model()
  local states = other:named_states()
  for i, entry in ipairs(net:named_states()) do states[i].state:set(entry.state:read():totable()) end
  check.equal(pass(other, images), after)
end

check("a state that changes lets go of it", function()
  check_change(function(net)
    local w = first_weight(net)
    w:set((w:read() * 2):totable())
  end)
  check_change(function(net)
    local w = first_weight(net)
    w:write(w:read() + 0.125)
  end)
  check_change(function(net)
    icl.step(function() first_weight(net):write(first_weight(net):read() * 0.5) end)
  end)
  check_change(function(net)
    local optimizer = icl.optim.sgd(net, { momentum = 0.9 })
    net:train()
    icl.step(function()
      icl.loss.cross_entropy(net(images), icl.tensor({ 1, 2 }, { dtype = "i64" })):backward()
      optimizer:step(0.1)
    end)
    net:eval()
  end)
end)

check("models of one structure are not taken for each other", function()
  local a, b = new_model(), new_model()
  local of_a, of_b = pass(a, images), pass(b, images)
  check.equal(of_a ~= of_b, true)
  for _ = 1, 3 do
    for _ = 1, 3 do check.equal(pass(a, images), of_a) end
    for _ = 1, 3 do check.equal(pass(b, images), of_b) end
    check.equal(pass(a, images), of_a)
    check.equal(pass(b, images), of_b)
  end
end)

check("it goes with the states", function()
  do
    local net = new_model()
    for _ = 1, 3 do pass(net, images) end
    check.equal(lasting() > 0, true)
  end
  collectgarbage()
  collectgarbage()
  check.equal(lasting(), 0)
end)

check("many images keep nothing", function()
  local many = icl.random.normal { 17, 16, 16, 3 }
  for _ = 1, 4 do pass(model, many) end
  check.equal(lasting(), 0)
end)

check("a step that needs a larger arena takes the memory", function()
  for _ = 1, 3 do pass(model, images) end
  check.equal(lasting() > 0, true)
  local arena = icl.statistics().arena_bytes
  pass(model, icl.random.normal { 400, 16, 16, 3 })
  check.equal(icl.statistics().arena_bytes > arena, true)
  check.equal(lasting(), 0)
end)

check("frozen layers keep theirs while others are trained", function()
  local body, head = nn.sequential { nn.conv2d(3, 32, 3), nn.relu(), nn.conv2d(32, 32, 3), nn.global_avg_pool() },
    nn.linear(32, 10)
  body:freeze()
  local optimizer = icl.optim.sgd(head, {})
  local function step()
    return icl.step(function()
      local loss = icl.loss.cross_entropy(head(body(images)), icl.tensor({ 1, 2 }, { dtype = "i64" }))
      loss:backward()
      optimizer:step(0.1)
      return loss
    end):item()
  end
  local losses = {}
  for i = 1, 6 do losses[i] = step() end
  check.equal(lasting() > 4 * 9 * 32 * 32, true)
  for i = 2, 6 do check.equal(losses[i] < losses[i - 1], true) end
end)

check("without memory for it a pass goes on without", function()
  local net = new_model()
  local first = pass(net, images)
  check.equal(pass(net, images), first)
  local w = first_weight(net)
  w:set(w:read():totable())
  check.equal(pass(net, images), first)
  for fails = 0, 40 do
    w:set(w:read():totable())
    pass(net, images)
    core.fail_allocations(fails)
    local ok, result = pcall(pass, net, images)
    core.fail_allocations(-1)
    check.equal(not ok or result == first, true)
    check.equal(pass(net, images), first)
  end
end)

check.close()
