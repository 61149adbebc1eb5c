-- test_ema.lua: icl.ema: moving averages of a model's states.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local nn = icl.nn

local function small_model()
  return nn.sequential { nn.conv2d(1, 2, 3), nn.batch_norm(2), nn.global_avg_pool(), nn.linear(2, 2) }
end

local function values(states)
  local list = {}
  for i, entry in ipairs(states) do
    if entry.name ~= "n_averaged" then
      local numbers = entry.state:rank() == 0 and { entry.state:item() } or entry.state:reshape(-1):totable()
      list[#list + 1] = { name = entry.name, numbers = numbers }
    end
  end
  return list
end

local function bytes(states)
  local list = {}
  for i, entry in ipairs(states) do list[i] = entry.name .. entry.state:bytes() end
  return table.concat(list)
end

-- A step of training; update() is called in it.
local function learn(model, optimizer, update)
  icl.step(function()
    local logits = model(icl.random.normal { 4, 5, 5, 1 })
    icl.loss.cross_entropy(logits, icl.tensor({ 0, 1, 0, 1 }, { dtype = "i64" })):backward()
    optimizer:step(0.5)
    update()
  end)
end

-- Averages as they should be, computed here after each step.
local function check_averages(given, decay_of)
  icl.random.seed(2)
  local model = small_model()
  local optimizer, ema = icl.optim.sgd(model), icl.ema(model, given)
  local expected, moved = values(model:named_states()), 0
  for t = 0, 4 do
    learn(model, optimizer, function() ema:update() end)
    for i, entry in ipairs(values(model:named_states())) do
      for k, value in ipairs(entry.numbers) do
        local average = expected[i].numbers[k]
        local weight = entry.name:find "num_batches" and 1 or 1 - decay_of(t)
        expected[i].numbers[k] = average + (value - average) * weight
      end
    end
  end
  local own = values(model:named_states())
  for i, entry in ipairs(values(ema:named_states())) do
    check.equal(entry.name, expected[i].name)
    for k, value in ipairs(entry.numbers) do
      check.near(value, expected[i].numbers[k], 2e-6)
      moved = math.max(moved, math.abs(value - own[i].numbers[k]))
    end
  end
  check.equal(moved > 1e-3, true)
end

check("parameters and statistics move, counters are copied", function()
  check_averages({ decay = 0.8 }, function() return 0.8 end)
end)

check("with warm-up the decay begins small", function()
  check_averages({ decay = 0.3, warmup = true }, function(t) return math.min(0.3, (1 + t) / (10 + t)) end)
  check_averages({ warmup = true }, function(t) return (1 + t) / (10 + t) end)
end)

check("equal averages are means of what was taken in, and of nothing before it", function()
  check_averages({ equal = true }, function(t) return t / (1 + t) end)
  for _, dtype in ipairs { "f32", "bf16", "f64" } do
    for _, before in ipairs { 1, 1e8, 1 / 0 } do
      local model = nn.linear(1, 1, { bias = false }):to(dtype)
      model.weight:set(before)
      local average = icl.ema(model, { equal = true })
      model.weight:set(0.001)
      average:update()
      check.equal(average:apply(function() return model.weight:item() end), model.weight:item())
    end
  end
end)

check("updates in steps share one plan, and may be made outside of steps", function()
  for _, given in ipairs { { decay = 0.9 }, { decay = 0.9, warmup = true }, { equal = true } } do
    icl.random.seed(3)
    local model = small_model()
    local optimizer, ema = icl.optim.sgd(model), icl.ema(model, given)
    learn(model, optimizer, function() ema:update() end)
    local plans = icl.statistics().plans_made
    for _ = 1, 5 do learn(model, optimizer, function() ema:update() end) end
    check.equal(icl.statistics().plans_made, plans)
    local inside = bytes(ema:named_states())
    icl.random.seed(3)
    model = small_model()
    optimizer, ema = icl.optim.sgd(model), icl.ema(model, given)
    for _ = 1, 6 do
      learn(model, optimizer, function() end)
      ema:update()
    end
    check.equal(bytes(ema:named_states()) == inside, true)
  end
end)

check("apply gives the model the averages and takes them back", function()
  icl.random.seed(1)
  local model = small_model()
  local optimizer, ema = icl.optim.sgd(model), icl.ema(model, { decay = 0.5 })
  learn(model, optimizer, function() ema:update() end)
  local own, averages = bytes(model:named_states()), values(ema:named_states())
  local kept = bytes(ema:named_states())
  check.equal(select("#", ema:apply(function(...)
    check.equal(select("#", ...), 2)
    for i, entry in ipairs(values(model:named_states())) do
      for k, value in ipairs(entry.numbers) do check.equal(value, averages[i].numbers[k]) end
    end
    for _, entry in ipairs(model:named_parameters()) do entry.state:write(entry.state * 2) end
    return nil, nil, nil
  end, 1, nil)), 3)
  check.equal(bytes(model:named_states()) == own, true)
  check.equal(bytes(ema:named_states()) == kept, true)
  ema:apply(function() learn(model, optimizer, function() end) end)  -- statistics of batch norm are the averages' own
  check.equal(bytes(model:named_states()) == own, true)
  for i, entry in ipairs(values(ema:named_states())) do
    local same = table.concat(entry.numbers, " ") == table.concat(averages[i].numbers, " ")
    check.equal(same, not (entry.name:find "running" or entry.name:find "num_batches"), entry.name)
  end
  check.raises(function() ema:apply(error, "broken") end, "broken")
  check.equal(bytes(model:named_states()) == own, true)
  check.raises(function() ema:apply(function() ema:update() end) end, "update: the model has the averages now")
  check.raises(function() ema:apply(function() ema:named_states() end) end, "save and load outside of ema:apply")
  check.raises(function() ema:apply(ema.apply, ema, print) end, "the model has the averages already")
  check.raises(function() icl.step(ema.apply, ema, print) end, "apply: a step is open")
  check.equal(bytes(model:named_states()) == own, true)
  local thread = coroutine.create(function() ema:apply(coroutine.yield) end)
  coroutine.resume(thread)
  coroutine.close(thread)
  check.equal(bytes(model:named_states()) == own, true)
end)

check("averages are saved and loaded, as weights too", function()
  icl.random.seed(5)
  local model = small_model()
  local optimizer, ema = icl.optim.sgd(model), icl.ema(model, { decay = 0.9, warmup = true })
  for _ = 1, 3 do learn(model, optimizer, function() ema:update() end) end
  local other = small_model()
  local resumed = icl.ema(other, { decay = 0.9, warmup = true })
  resumed:load_state_dict(ema:state_dict())
  check.equal(bytes(resumed:named_states()) == bytes(ema:named_states()), true)
  check.equal(resumed:named_states()[1].state:item(), 3)
  check.raises(function() resumed:load_state_dict({}) end, "not in the file: n_averaged")
  local path = os.tmpname()
  ema:apply(function() model:save(path) end)
  other:load(path)
  local averages = values(ema:named_states())
  for i, entry in ipairs(values(other:named_states())) do
    for k, value in ipairs(entry.numbers) do check.equal(value, averages[i].numbers[k]) end
  end
  os.remove(path)
end)

check("what it refuses", function()
  local model = small_model()
  check.raises(function() icl.ema {} end, "it takes a module, not a table")
  check.raises(function() icl.ema(model, { decay = 1 }) end, "decay is 1.*less than 1")
  check.raises(function() icl.ema(model, { decay = -1 }) end, "decay is %-1; it must be a number of at least 0")
  check.raises(function() icl.ema(model, { deacy = 0.9 }) end, "did you mean decay")
  check.raises(function() icl.ema(model, { equal = true, decay = 0.9 }) end, "equal averages have no decay")
  check.raises(function() icl.ema(model, { equal = true, warmup = true }) end, "equal averages have no warmup")
  check.raises(function() icl.ema(model, { warmup = 3 }) end, "warmup is 3; it must be true or false")
  check.raises(function() icl.ema(model, 0.9) end, "options must be a table, not 0.9")
  check.raises(function() icl.step(icl.ema, model) end, "a step is open")
end)

check("a save while the model has averages that are not kept holds its own values", function()
  local path = os.tmpname()
  os.remove(path)
  local model = small_model()
  local ema = icl.ema(model, { decay = 0.5 })
  local run = icl.run { output = path, keep = { model = model }, quiet = true }
  local before = bytes(model:named_states())
  for _, entry in ipairs(ema:named_states()) do
    entry.state:write(icl.full(entry.state:shape(), 7, entry.state:dtype()))
  end
  ema:apply(function() check.equal(run:save(), true) end)
  local saved = icl.weights.under("model", require "icl.core".safetensors_read(path .. "/checkpoints/last.safetensors"))
  local other = small_model()
  icl.weights.load_state_dict(other, saved)
  check.equal(bytes(other:named_states()), before)
  os.execute("rm -r " .. path)
end)

check.close()
