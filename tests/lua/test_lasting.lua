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
local function hits() return icl.statistics().lasting_hits end
local function first_weight(net) return net[1].weight end

-- How many passes of the model found what lasts; their result, which must be the same.
local function passes(net, count)
  collectgarbage()  -- states of an earlier model, which would end it when they are collected
  local before, result = hits(), pass(net, images)
  for _ = 2, count do check.equal(pass(net, images), result) end
  return hits() - before, result
end

check("the second pass finds the weights as its kernels want them", function()
  check.equal(lasting(), 0)
  check.equal(passes(model, 4), 3)
  check.equal(lasting() > 4 * (9 * 16 * 32 + 32 * 32), true)
  local before = hits()
  local others = icl.random.normal { 2, 16, 16, 3 }
  local result = pass(model, others)
  check.equal(hits() - before, 1)
  first_weight(model):set(first_weight(model):read():totable())
  check.equal(pass(model, others), result)
  check.equal(hits() - before, 1)
end)

-- Changes a model between passes; afterwards a pass must be that of a model without a history.
local function check_change(change)
  local net = new_model()
  local _, old = passes(net, 2)
  change(net)
  local found, new = passes(net, 3)
  check.equal(found, 2)
  check.equal(new ~= old, true)
  local other = new_model()
  local states = other:named_states()
  for i, entry in ipairs(net:named_states()) do states[i].state:set(entry.state:read():totable()) end
  check.equal(pass(other, images), new)
end

check("a state that changes ends it", function()
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

check("nor are states for others that were in their place", function()
  local results = {}
  for i = 1, 20 do
    local net = new_model()
    local _, result = passes(net, 2)
    check.equal(results[result], nil)
    results[result] = i
    collectgarbage()
  end
end)

-- The square depends on a state alone, and lasts; the sum on a number as well, and does not.
check("what lasts is made before the others that are computed with it", function()
  for i = 1, 20 do
    local w = icl.state(icl.tensor({ i, i + 1, i + 2 }))
    for _ = 1, 2 do
      local result = icl.step(function()
        images:global_avg_pool():keep()
        return (w:read() * w:read() + 0.5):log()
      end):totable()
      for j = 1, 3 do check.near(result[j], math.log((i + j - 1) ^ 2 + 0.5), 1e-5) end
    end
  end
end)

check("its memory goes when it was of no use for a while", function()
  passes(model, 2)
  for _ = 1, 20 do pass(model, icl.random.normal { 17, 16, 16, 3 }) end
  check.equal(lasting() > 0, true)
  first_weight(model):set(first_weight(model):read():totable())
  for _ = 1, 20 do pass(model, icl.random.normal { 17, 16, 16, 3 }) end
  check.equal(lasting(), 0)
end)

check("many images make it anew", function()
  local many, before = icl.random.normal { 17, 16, 16, 3 }, hits()
  for _ = 1, 4 do pass(model, many) end
  check.equal(hits(), before)
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
  local losses, before = {}, hits()
  for i = 1, 6 do losses[i] = step() end
  check.equal(hits() - before, 5)
  for i = 2, 6 do check.equal(losses[i] < losses[i - 1], true) end
end)

check("without memory for it a pass fails and the next one goes on", function()
  local net = new_model()
  local w, first, failed = first_weight(net), pass(net, images), 0
  for fails = 0, 40 do
    w:set(w:read():totable())
    core.fail_allocations(fails)
    local ok, result = pcall(pass, net, images)
    core.fail_allocations(-1)
    check.equal(not ok or result == first, true)
    failed = failed + (ok and 0 or 1)
    check.equal(pass(net, images), first)
  end
  check.equal(failed > 0, true)
end)

check.close()
