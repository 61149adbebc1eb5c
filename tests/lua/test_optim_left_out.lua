-- test_optim_left_out.lua: parameters that some steps leave out: they stay, and have counts of updates of their own.
local here = arg[0]:match "^(.*/)" or "./"
local check, optimizers = dofile(here .. "check.lua"), dofile(here .. "optimizers.lua")
local icl = require "icl"

local parameter, groups, step, warnings = optimizers.parameter, optimizers.groups, optimizers.step, optimizers.warnings

-- Trains three parameters in steps `first` to `last`, from what an earlier call returned: w1 in all steps, w2 frozen in
-- the first three, w3 without a gradient in some. -> their values, those by the formula, and the optimizer.
local function train_some(setting, first, last, from)
  local name, options = table.unpack(setting)
  local o = setmetatable({ lr = 0.01, weight_decay = 0.05 }, { __index = options })
  local trained = { expected = {}, own = {}, w = {} }
  for i, value in ipairs(from and from.values or { 2, -0.3, 0.7 }) do
    trained.w[i] = parameter({ value }, "w" .. i)
    trained.expected[i], trained.own[i] = from and from.expected[i] or value, from and from.own[i] or {}
  end
  options.weight_decay = 0.05
  trained.optimizer = icl.optim[name](groups(table.unpack(trained.w)), options)
  if from then trained.optimizer:load_state_dict(from.state) end
  warnings(function()
    for k = first, last do
      trained.w[2]:freeze(k <= 3)
      local present = { true, k > 3, k % 4 > 1 and k > 1 }
      local list = {}
      for i, w in ipairs(trained.w) do
        if present[i] then
          list[#list + 1] = { w, optimizers.gradient(k) }
          trained.expected[i] = optimizers.rules[name](trained.expected[i], optimizers.gradient(k), o, trained.own[i])
        end
      end
      step(trained.optimizer, o.lr, table.unpack(list))
    end
  end)
  trained.state, trained.values = trained.optimizer:state_dict(), {}
  for i, w in ipairs(trained.w) do trained.values[i] = w:get()[1] end
  return trained
end

for _, setting in ipairs(optimizers.settings) do
  check("updates that a parameter had are those that count for it: " .. setting[1], function()
    local trained = train_some(setting, 1, 20)
    for i, value in ipairs(trained.values) do check.near(value, trained.expected[i], 1e-6) end
  end)
end

check("the counts of parameters go on from where they were saved", function()
  for _, setting in ipairs(optimizers.settings) do
    local whole, parts = train_some(setting, 1, 15), train_some(setting, 9, 15, train_some(setting, 1, 8))
    for i, value in ipairs(whole.values) do check.equal(parts.values[i], value) end
    check.equal(#parts.state, #whole.state)
    for i, item in ipairs(whole.state) do
      check.equal(parts.state[i].name, item.name)
      check.equal(parts.state[i].tensor:bytes() == item.tensor:bytes(), true)
    end
  end
end)

-- The counts in a list of states, by name.
local function counts_in(list)
  local texts = {}
  for _, item in ipairs(list) do
    if item.name:find "^step" then texts[#texts + 1] = ("%s %g"):format(item.name, item.tensor:item()) end
  end
  return table.concat(texts, ", ")
end

check("a state without counts of parameters, as all were once, has the one of all", function()
  local nadam = { "nadam", { betas = { 0.9, 0.999 }, momentum_decay = 4e-3 } }
  local trained, old = train_some(nadam, 1, 8), {}
  check.equal(counts_in(trained.state), "step 8, step.w2 5, step.w3 4")
  for _, item in ipairs(trained.state) do
    if not item.name:find "^step%." and not item.name:find "^mu_product%.w" then old[#old + 1] = item end
  end
  check.equal(#trained.optimizer:load_state_dict(old).missing, 0)
  check.equal(counts_in(trained.optimizer:state_dict()), "step 8")
  table.remove(old)
  trained.optimizer:load_state_dict(trained.state)
  check.raises(function() trained.optimizer:load_state_dict(old) end, "1 not in the file: exp_avg_sq.w3")
  check.equal(counts_in(trained.optimizer:state_dict()), "step 8, step.w2 5, step.w3 4")
  step(trained.optimizer, 0.1, { trained.w[1], 1 }, { trained.w[2], 1 }, { trained.w[3], 1 })
  check.equal(counts_in(trained.optimizer:state_dict()), "step 9, step.w2 6, step.w3 5")
end)

check("groups share a count as long as steps update all of both", function()
  local a, b = parameter({ 1 }, "a"), parameter({ 1 }, "b")
  local optimizer = icl.optim.nadam { groups(a)[1], groups(b)[1] }
  step(optimizer, 0.1, { a, 1 }, { b, 1 })
  check.equal(counts_in(optimizer:state_dict()), "step 1")
  warnings(function() step(optimizer, 0.1, { a, 1 }) end)
  check.equal(counts_in(optimizer:state_dict()), "step 2, step.b 1")
  local again = icl.optim.nadam { groups(a)[1], groups(b)[1] }
  again:load_state_dict(optimizer:state_dict())
  check.equal(counts_in(again:state_dict()), "step 2, step.b 1")
  warnings(function() step(again, 0.1, { b, 1 }) end)
  check.equal(counts_in(again:state_dict()), "step 2, step.b 2")
end)

check("a step that fails counts for none, whatever it left out", function()
  local a, b, statistic = parameter({ 1 }, "a"), parameter({ 1 }, "b"), icl.state({ 5 })
  local optimizer = icl.optim.adam(groups(a, b))
  step(optimizer, 0.1, { a, 1 }, { b, 1 })
  warnings(function()
    check.raises(function()
      icl.step(function()
        statistic:write(statistic + 1)
        a:sum():backward()
        optimizer:step(0.1)
        error "after all"
      end)
    end, "after all")
  end)
  check.equal(statistic:get()[1], 5)
  step(optimizer, 0.1, { a, 1 }, { b, 1 })
  check.near(a:get()[1], 0.8, 1e-6)
  check.near(b:get()[1], 0.8, 1e-6)
  check.equal(counts_in(optimizer:state_dict()), "step 2, step.b 2")
end)

check("two steps of an optimizer in one, of different parameters", function()
  local a, b = parameter({ 1 }, "a"), parameter({ 1 }, "b")
  local optimizer = icl.optim.adam(groups(a, b))
  warnings(function()
    for _ = 1, 3 do
      icl.step(function()
        (a + b):sum():backward()
        optimizer:step(0.1)
        b:sum():backward()
        optimizer:step(0.1)
      end)
    end
  end)
  check.near(a:get()[1], 0.7, 1e-6)
  check.near(b:get()[1], 0.4, 1e-6)
  check.equal(counts_in(optimizer:state_dict()), "step 6, step.a 3")
end)

check("no plan is made anew once a parameter has a count of its own", function()
  local a, b = parameter({ 1 }, "a"), parameter({ 1 }, "b")
  local optimizer, plans = icl.optim.nadam(groups(a, b)), nil
  b:freeze()
  for k = 1, 4 do
    step(optimizer, 0.1, { a, 1 })
    if k == 2 then plans = icl.statistics().plans_made end
  end
  check.equal(icl.statistics().plans_made, plans)
  b:freeze(false)
  for k = 1, 4 do
    step(optimizer, 0.1, { a, 1 }, { b, 1 })
    if k == 2 then plans = icl.statistics().plans_made end
  end
  check.equal(icl.statistics().plans_made, plans)
end)

check("what a step leaves out stays as it is, which is said once", function()
  for _, name in ipairs(optimizers.names) do
    local a, b, c = parameter({ 1, 2 }, "a"), parameter({ 3, 4 }, "b"), parameter({ 1, 2 }, "a")
    local optimizer, alone = icl.optim[name](groups(a, b), { weight_decay = 0.1 }), nil
    local said = warnings(function()
      step(optimizer, 0.5, { a, 1 })
      step(optimizer, 0.5, { a, 1 })
    end)
    check.equal(#said, 1)
    check.equal(said[1]:match "^(icl%.optim%.%w+: no gradient for b: .*) This is said once" ~= nil, true)
    check.equal(table.concat(b:get(), " "), "3.0 4.0")
    for _, entry in ipairs(optimizer:named_states()) do
      if entry.name:find "%.b$" then
        check.equal(entry.state:abs():max():item(), entry.key == "mu_product" and 1 or 0)
      end
    end
    alone = icl.optim[name](groups(c), { weight_decay = 0.1 })
    step(alone, 0.5, { c, 1 })
    step(alone, 0.5, { c, 1 })
    check.equal(a:bytes() == c:bytes(), true)
    check.equal(#warnings(function() step(optimizer, 0.5, { a, 1 }, { b, 1 }) end), 0)
    check.equal(b:get()[1] ~= 3, true)
  end
end)

check("a network of which blocks are left out is trained", function()
  local nn = icl.nn
  local Net = nn.layer "net"
  function Net:init() self.blocks, self.head = nn.list { nn.linear(4, 4), nn.linear(4, 4) }, nn.linear(4, 2) end
  function Net:forward(x, left_out)
    for i, block in ipairs(self.blocks) do
      if i ~= left_out then x = x + block(x):relu() end
    end
    return self.head(x)
  end
  local model = Net()
  local optimizer = icl.optim.sam(icl.optim.sgd(model, { gradient_clip = 1 }), { model = model })
  local x, target = icl.random.normal { 8, 4 }, icl.tensor({ 0, 1, 0, 1, 0, 1, 0, 1 }, { dtype = "i64" })
  local said = warnings(function()
    for i = 0, 8 do
      local before = { model.blocks[1].weight:bytes(), model.blocks[2].weight:bytes() }
      icl.step(function()
        optimizer:step(0.1, function()
          local loss = icl.loss.cross_entropy(model(x, i % 3), target)
          loss:backward()
          return loss
        end)
      end)
      for k = 1, 2 do check.equal(model.blocks[k].weight:bytes() == before[k], i % 3 == k) end
    end
  end)
  check.equal(#said, 1)
  check.equal(said[1]:find("icl.optim.sam: no gradient for blocks.0.weight, blocks.0.bias:", 1, true), 1)
end)

check.close()
