-- test_optim.lua: optimizers against their formulas written out, parameter groups, clipping, states that are saved.
local here = arg[0]:match "^(.*/)" or "./"
local check, optimizers = dofile(here .. "check.lua"), dofile(here .. "optimizers.lua")
local icl = require "icl"

local parameter, groups, step, gradient = optimizers.parameter, optimizers.groups, optimizers.step, optimizers.gradient

for _, setting in ipairs(optimizers.settings) do
  local name, options = table.unpack(setting)
  check(("forty steps of %s%s%s"):format(name, options.amsgrad and ", amsgrad" or "",
    options.decoupled and ", decoupled" or ""), function()
    options.weight_decay = 0.05
    local start, w = { 2, -0.3, 1e-3 }, {}
    for i, value in ipairs(start) do w[i] = parameter({ value }, "w" .. i) end
    local optimizer, own = icl.optim[name](groups(table.unpack(w)), options), { {}, {}, {} }
    local o = setmetatable({ lr = 0.01 }, { __index = options })
    for k = 1, 40 do
      local g = gradient(k)
      step(optimizer, o.lr, { w[1], g }, { w[2], g }, { w[3], g })
      for i, value in ipairs(start) do
        start[i] = optimizers.rules[name](value, g, o, own[i])
        check.near(w[i]:get()[1], start[i], 1e-6 * math.max(1, math.abs(start[i])))
      end
    end
  end)
end

check("no plan is made anew as steps are counted, whatever the rate", function()
  for _, name in ipairs(optimizers.names) do
    local w = parameter({ 1 }, "w")
    local optimizer, plans = icl.optim[name](groups(w)), nil
    for k = 1, 5 do
      step(optimizer, 0.1 / k, { w, 1 })
      if k == 2 then plans = icl.statistics().plans_made end
    end
    check.equal(icl.statistics().plans_made, plans)
  end
end)

check("a rate that is a tensor", function()
  for _, name in ipairs(optimizers.names) do
    local a, b = parameter({ 1, 2 }, "a"), parameter({ 1, 2 }, "b")
    step(icl.optim[name](groups(a)), 0.25, { a, 3 })
    step(icl.optim[name](groups(b)), icl.tensor { 0.25 }, { b, 3 })
    check.equal(b:get()[2], a:get()[2])
  end
end)

check("gradients of several backward calls add up, and are used up", function()
  local w = parameter({ 1 }, "w")
  local optimizer = icl.optim.sgd(groups(w), { momentum = 0, nesterov = false })
  step(optimizer, 1, { w, 3 }, { w, 4 })
  check.near(w:get()[1], -6, 1e-6)
  check.raises(function() icl.step(function() optimizer:step(1) end) end, "parameter w has no gradient")
end)

check("frozen parameters need no gradient and stay", function()
  local a, b = parameter({ 1 }, "a"), parameter({ 1 }, "b")
  local optimizer = icl.optim.sgd(groups(a, b), { weight_decay = 1 })
  b:freeze()
  step(optimizer, 0.5, { a, 1 })
  check.equal(b:get()[1], 1)
  check.near(a:get()[1], 1 - 0.5 * 2 * 1.9, 1e-6)
end)

check("clipping by the norm of all gradients, then division", function()
  local a, b = parameter({ 0 }, "a"), parameter({ 0 }, "b")
  local optimizer = icl.optim.sgd(groups(a, b), { momentum = 0, nesterov = false, gradient_clip = 1, divide = 2 })
  step(optimizer, 1, { a, 3 }, { b, 4 })
  check.near(a:get()[1], -0.3, 1e-6)
  check.near(b:get()[1], -0.4, 1e-6)
  a:set { 0 }
  step(optimizer, 1, { a, 0.1 }, { b, 0 })
  check.near(a:get()[1], -0.05, 1e-6)
end)

check("which parameters decay", function()
  local model = icl.models.resnet_preact { depth = 8 }
  local function decaying(rule)
    local count, names = 0, {}
    local optimizer = icl.optim.sgd(model, { weight_decay = 1, weight_decay_of = rule })
    for _, parameter in ipairs(optimizer.groups[1].parameters) do
      count, names[parameter.name] = count + 1, true
    end
    return count, names
  end
  local count, names = decaying "conv.weight"
  check.equal(count, 3)
  check.equal(names["conv.weight"] and names["stage3.block1.shortcut.conv.weight"], true)
  count, names = decaying "weights"
  check.equal(count, 1 + 6 + 2 + 1)
  check.equal(names["fc.weight"] and not names["fc.bias"] and not names["bn.weight"], true)
  check.equal(decaying "all", #model:parameters())
  check.raises(function() decaying "none" end, "must be one of all, conv.weight, weights")
end)

check("options that are changed between steps act, and are checked", function()
  local model = icl.nn.linear(1, 1)
  local optimizer = icl.optim.sgd(model, { momentum = 0, nesterov = false, weight_decay_of = "weights" })
  local function one_step()
    model.weight:set { { 2 } }
    model.bias:set { 2 }
    step(optimizer, 0.5, { model.weight, 0 }, { model.bias, 0 })
    return model.weight:get()[1][1], model.bias:get()[1]
  end
  check.equal(one_step(), 2)
  optimizer.options.weight_decay = 1
  local weight, bias = one_step()
  check.equal(weight, 1)
  check.equal(bias, 2)
  optimizer.groups[2].weight_decay = 0.5
  check.equal(select(2, one_step()), 1.5)
  optimizer.groups[1].lr_scale = 0
  check.equal(one_step(), 2)
  local all = {}
  for name in pairs(optimizer.options) do all[#all + 1] = name end
  table.sort(all)
  check.equal(table.concat(all, " "), "divide gradient_clip momentum nesterov weight_decay weight_decay_of")
  for pattern, change in pairs {
    ["there is no option 'weight_decy' %(did you mean weight_decay%?%)"] = function(o) o.weight_decy = 1 end,
    ["weight_decay is %-1; it must be a number of at least 0"] = function(o) o.weight_decay = -1 end,
    ["weight_decay is 'x'; it must be a number"] = function(o) o.weight_decay = "x" end,
    ["nesterov needs a momentum above 0"] = function(o) o.nesterov = true end,
    ["weight_decay_of is settled when the optimizer is made"] = function(o) o.weight_decay_of = "all" end,
  } do
    check.raises(function() change(optimizer.options) end, "icl.optim.sgd: " .. pattern)
  end
  check.equal(optimizer.options.weight_decay, 1)
  optimizer.options.momentum = 0.9
  check.raises(one_step, "group decay needs the state momentum_buffer with these options")
end)

check("a group has a rate and options of its own", function()
  local function group(w, more)
    more.parameters = { { name = w.name, state = w } }
    return more
  end
  local a, b, c = parameter({ 1 }, "a"), parameter({ 1 }, "b"), parameter({ 1 }, "c")
  local optimizer = icl.optim.sgd({ group(a, {}), group(b, { lr_scale = 0.25 }),
                                    group(c, { momentum = 0, nesterov = false, weight_decay = 2 }) },
    { momentum = 0.5, nesterov = false })
  for _ = 1, 2 do step(optimizer, icl.tensor { 0.5 }, { a, 1 }, { b, 1 }, { c, 1 }) end
  check.near(a:get()[1], 1 - 0.5 * (1 + 1.5), 1e-6)
  check.near(b:get()[1], 1 - 0.125 * (1 + 1.5), 1e-6)
  check.near(c:get()[1], (1 - 0.5 * 3) - 0.5 * (1 + 2 * (1 - 0.5 * 3)), 1e-6)
  check.equal(#optimizer:state_dict(), 2)
  local betas = icl.optim.adam({ group(a, { betas = { 0, 0 } }), group(b, {}) }, { betas = { 0.9, 0.9 } })
  a:set { 1 }
  for k = 1, 2 do step(betas, 0.5, { a, k }, { b, k }) end
  check.near(a:get()[1], 0, 1e-6)
  check.raises(function() icl.optim.adamw {} end, "icl.optim.adamw: the list of parameter groups is empty")
  check.raises(function() icl.optim.adamw(icl.nn.linear(2, 3), { lr = 0.1 }) end,
    "icl.optim.adamw: the learning rate is given to each step: optimizer:step%(0.1%)")
  for pattern, own in pairs {
    ["group 1: the learning rate is given to each step; a group has lr_scale"] = { lr = 0 },
    ["group 1: there is no option 'weight_decy' %(did you mean weight_decay%?%)"] = { weight_decy = 0 },
    ["group 1: there is no option 'gradient_clip'"] = { gradient_clip = 1 },
    ["group 1: lr_scale is 'x'; it must be a number"] = { lr_scale = "x" },
    ["group 1: betas must be two numbers"] = { betas = { 1, 1 } },
  } do
    check.raises(function() icl.optim.adam { group(a, own) } end, "icl.optim.adam: " .. pattern)
  end
  check.raises(function() icl.optim.sgd({ group(a, {}) }, { weight_decay_of = "weights" }) end,
    "weight_decay_of chooses among the parameters of a module")
end)

check("a step needs a rate", function()
  local w = parameter({ 1 }, "w")
  local optimizer = icl.optim.sgd(groups(w))
  check.raises(function() step(optimizer, nil, { w, 1 }) end, "icl.optim.sgd: step: it needs a learning rate")
  check.raises(function() step(optimizer, "0.1", { w, 1 }) end, "step: it needs a learning rate")
  for _, nan in ipairs { 0 / 0, -(0 / 0) } do
    check.raises(function() step(optimizer, nan, { w, 1 }) end, "the learning rate is nan; it must be a number")
  end
  for _, rate in ipairs { math.huge, -1 } do
    check.raises(function() step(optimizer, rate, { w, 1 }) end, "the learning rate is .*a number of at least 0")
  end
  check.equal(w:get()[1], 1)
end)

-- Trains for some steps, from what an earlier call returned.
local function train(name, options, first, last, from)
  local w, v = parameter(from and from.w or { 1, -2 }, "w"), parameter(from and from.v or { { 1, -2 } }, "v")
  local optimizer = icl.optim[name](groups(w, v), options)
  if from then optimizer:load_state_dict(from.state) end
  for k = first, last do step(optimizer, 0.1 / k, { w, gradient(k) }, { v, gradient(k) }) end
  return { w = w:get(), v = v:get(), state = optimizer:state_dict() }
end

check("a saved state goes on as if nothing had happened", function()
  for _, setting in ipairs(optimizers.settings) do
    local name, options = table.unpack(setting)
    local whole, parts = train(name, options, 1, 7), train(name, options, 4, 7, train(name, options, 1, 3))
    check.equal(#parts.state, #whole.state)
    for i in ipairs(whole.w) do check.equal(parts.w[i], whole.w[i]) end
    for i, value in ipairs(whole.v[1]) do check.equal(parts.v[1][i], value) end
    for i, item in ipairs(whole.state) do
      check.equal(parts.state[i].name, item.name)
      check.equal(parts.state[i].tensor:eq(item.tensor):cast("f32"):mean():item(), 1)
    end
  end
end)

check("the names of states", function()
  local function names(name, options)
    local list = {}
    local optimizer = icl.optim[name](groups(parameter({ 1 }, "w")), options)
    for i, item in ipairs(optimizer:state_dict()) do list[i] = item.name end
    return table.concat(list, " ")
  end
  check.equal(names("sgd"), "momentum_buffer.w")
  check.equal(names("sgd", { momentum = 0, nesterov = false }), "")
  check.equal(names("lars"), "momentum_buffer.w")
  check.equal(names("adam"), "step exp_avg.w exp_avg_sq.w")
  check.equal(names("adam", { amsgrad = true }), "step exp_avg.w exp_avg_sq.w max_exp_avg_sq.w")
  check.equal(names("adabound"), "step exp_avg.w exp_avg_sq.w")
  check.equal(names("nadam"), "step mu_product.group1 exp_avg.w exp_avg_sq.w")
  check.equal(names("rmsprop"), "square_avg.w")
  check.equal(names("rmsprop", { centered = true, momentum = 0.9 }), "square_avg.w grad_avg.w momentum_buffer.w")
  check.equal(names("lion"), "exp_avg.w")
end)

check("a state that does not fit changes nothing", function()
  local w, v = parameter({ 1 }, "w"), parameter({ 1, 2 }, "w")
  local one, two = icl.optim.adam(groups(w)), icl.optim.adam(groups(v))
  step(one, 0.1, { w, 1 })
  check.raises(function() two:load_state_dict(one:state_dict()) end,
    "does not fit icl.optim.adam; 2 of another shape: exp_avg.w: %(1%) in the file, %(2%) in icl.optim.adam")
  check.raises(function() two:load_state_dict {} end, "3 not in the file: step, exp_avg.w, exp_avg_sq.w")
  check.raises(function() icl.optim.sgd(groups(w)):load_state_dict(one:state_dict()) end, "not in icl.optim.sgd: step")
  check.equal(two:state_dict()[1].tensor:item(), 0)
end)

check("a step that fails is not counted", function()
  local w = parameter({ 1 }, "w")
  local optimizer = icl.optim.adam(groups(w))
  check.raises(function()
    icl.step(function()
      (w * 2):sum():backward()
      optimizer:step(0.1)
      error "after all"
    end)
  end, "after all")
  check.equal(optimizer:state_dict()[1].tensor:item(), 0)
  step(optimizer, 0.1, { w, 2 })
  check.near(w:get()[1], 0.9, 1e-6)
end)

check("an optimizer of one's own", function()
  local signum = icl.optim.define("signum", {
    defaults = { momentum = 0.9 },
    states = { "momentum_buffer" },
    update = function(p, g, own, s)
      local m = s.momentum * own.momentum_buffer + (1 - s.momentum) * (g + s.weight_decay * p)
      own.momentum_buffer:write(m)
      return p - s.lr * m:sign()
    end,
  })
  local w = parameter({ 2 }, "w")
  local optimizer = signum(groups(w), { weight_decay = 0.5 })
  for _ = 1, 3 do step(optimizer, 0.25, { w, 3 }) end
  check.near(w:get()[1], 1.25, 1e-6)
  check.near(optimizer:state_dict()[1].tensor:item(), 0.81 * 0.4 + 0.09 * 3.875 + 0.1 * 3.75, 1e-6)
  check.raises(function() signum(groups(w), { momentun = 1 }) end, "icl.optim.signum: .*did you mean momentum")
  check.raises(function() icl.optim.define("none", { updates = print }) end, "did you mean update")
  check.raises(function() icl.optim.define("none", {}) end, "needs a function `update`")
  for count, update in pairs { [0] = function() end, [2] = function(p, g) return p - g, g end } do
    local wrong = icl.optim.define("wrong", { update = update })(icl.nn.linear(1, 1))
    check.raises(function() icl.step(function()
      for _, group in ipairs(wrong.groups) do
        for _, parameter in ipairs(group.parameters) do (parameter.state * 2):sum():backward() end
      end
      wrong:step(0.1)
    end) end, ("icl.optim.wrong: update returned %d values; it returns one"):format(count))
  end
end)

check("the words of --optimizer", function()
  local names, states = icl.optim.from_options.names, {}
  check.equal(table.concat(names, " "), "adabound adaboundw adam adamw amsgrad lamb lars lion muon nadam rmsprop sgd")
  for _, name in ipairs(names) do
    local options = icl.options.training:defaults()
    options.optimizer, options.base_lr, options.gradient_clip = name, 0.02, 5.0
    local optimizer = icl.optim.from_options(options, groups(parameter({ 1 }, "w")))
    check.equal(optimizer.options.gradient_clip, 5.0)
    check.equal(optimizer.options.decoupled or false, name == "adaboundw")
    check.equal(optimizer.options.base_lr, name:find "adabound" and 0.02 or nil)
    states[name] = #optimizer:named_states()
  end
  check.equal(states.sgd * states.lars * states.adam * states.amsgrad, 1 * 1 * 3 * 4)
  check.raises(function() icl.optim.from_options({ optimizer = "adan" }, {}) end, "did you mean adam")
end)

check("mistakes", function()
  local w = parameter({ 1 }, "w")
  for _, case in ipairs {
    { "sgd", { momentum = 0 }, "nesterov needs a momentum" },
    { "sgd", { momentun = 0 }, "did you mean momentum" },
    { "sgd", { momentum = "0.9" }, "momentum is '0.9'; it must be a number" },
    { "sgd", { nesterov = 1 }, "nesterov is 1; it must be a boolean" },
    { "lars", { weight_decay = -1 }, "weight_decay is %-1; it must be a number of at least 0" },
    { "lars", { eps = math.huge }, "eps is inf; it must be a number of at least 0" },
    { "lars", { eps = 0 / 0 }, "eps is nan; it must be a number" },
    { "adam", { betas = { 0.9 } }, "betas must be two numbers from 0 to less than 1, not { 0.9 }" },
    { "adam", { betas = { 0.9, 1 } }, "betas must be two numbers" },
    { "adam", { betas = { 0.9, "x" } }, "betas is 'x'; it must be a number" },
    { "adabound", { base_lr = 0 }, "base_lr is 0; it must be above" },
    { "adabound", { gamma = 0 }, "gamma is 0; it must be above" },
    { "adabound", { divide = 0 }, "divide is 0" },
    { "adamw", { beta = 1 }, "did you mean betas" },
    { "lion", { betas = { 1, 0.5 } }, "betas must be two numbers" },
    { "rmsprop", { alpha = 1 }, "alpha is 1; it must be less than 1" },
    { "muon", { momentum = 1 }, "momentum is 1; it must be less than 1" },
    { "muon", { adjust_lr = "none" }, "adjust_lr is none; it must be one of match_rms_adamw, original" },
    { "muon", { ns_steps = 0 }, "ns_steps is 0; it must be an integer from 1" },
  } do
    check.raises(function() icl.optim[case[1]](groups(w), case[2]) end, "icl.optim." .. case[1] .. ": .*" .. case[3])
  end
  check.raises(function() icl.optim.sgd(5) end, "a module or a list")
  check.raises(function() icl.optim.sgd { {} } end, "group 1 must be a table with the field parameters")
  check.raises(function() icl.optim.sgd { { parameters = { { "w", w } } } } end,
    "group 1, parameter 1 must be a table { name =, state = }")
  check.raises(function() icl.optim.adam(groups(w, w)) end, "parameter w is there twice")
  check.raises(function() step(icl.optim.adam(groups(w)), icl.tensor { 1, 2 }, { w, 1 }) end, "reshape")
end)

check("a wrong rule of an optimizer is an error where it is defined", function()
  local function update(p) return p end
  local function defining(rule)
    rule.update = rule.update or update
    return function() return icl.optim.define("mine", rule) end
  end
  check.raises(defining { defaults = { lr = 0.1 } }, "icl.optim.mine: defaults: lr cannot be an option of its own: it "
    .. "is the learning rate of the step")
  check.raises(defining { defaults = { t = 1 } }, "defaults: t cannot be an option of its own")
  check.raises(defining { defaults = { 0.9 } }, "defaults: 0.9 has no name")
  check.raises(defining { defaults = 0.9 }, "defaults: it takes a table { name = value }, not 0.9")
  check.raises(defining { states = { m = 1 } }, "states: it is a list, and has no place for the key 'm'")
  check.raises(defining { states = { "a", "a" } }, "states: a is there twice")
  check.raises(defining { states = { 1 } }, "states: it takes a list of names, not 1")
  check.raises(defining { group_states = { d = "1" } }, "group_states: d is '1'")
  check.raises(defining { states = { "step" }, counts = true }, "states: step is the name of the count")
  check.raises(defining { group_states = { step = 1 }, counts = true }, "group_states: step is the name of the count")
  check.raises(defining { states = { "a" }, group_states = { a = 1 }, counts = true },
    "states: a is the name of a state of the group, too")
  check.raises(defining { prepare = 1 }, "prepare: it takes a function, not 1")
  check.raises(defining { update = 5 }, "an optimizer needs a function `update`")
  check.raises(function() icl.optim.define "mine" end, "it takes a name and a table, the rule, not nil")
  check.raises(function() defining { states = function() end }()(groups(parameter { 1 })) end,
    "states: the function returned nil; it returns a list of names")
end)

check.close()
