-- test_optim_groups.lua: groups that are added to an optimizer, and errors for assignments without an effect.
local here = arg[0]:match "^(.*/)" or "./"
local check, optimizers = dofile(here .. "check.lua"), dofile(here .. "optimizers.lua")
local icl = require "icl"

local parameter, groups, step = optimizers.parameter, optimizers.groups, optimizers.step

local function group(w, more)
  more.parameters = { { name = w.name, state = w } }
  return more
end

check("a group that is added begins anew, with options of its own", function()
  for _, name in ipairs(optimizers.names) do
    local a, b = parameter({ 1, 2 }, "a"), parameter({ 3, -1 }, "b")
    local optimizer = icl.optim[name](groups(a))
    for _ = 1, 3 do step(optimizer, 0.1, { a, 2 }) end
    local alone = parameter({ 3, -1 }, "b")
    local other = icl.optim[name] { group(alone, { lr_scale = 0.5 }) }
    local added = optimizer:add_group(group(b, { lr_scale = 0.5 }))
    check.equal(added, optimizer.groups[2])
    check.equal(added.name, "2")
    for _ = 1, 3 do
      step(optimizer, 0.1, { a, 2 }, { b, 3 })
      step(other, 0.1, { alone, 3 })
    end
    for i = 1, 2 do check.near(b:get()[i], alone:get()[i], 1e-6) end
  end
end)

check("groups that were added are saved", function()
  local a, b = parameter({ 1 }, "a"), parameter({ 1 }, "b")
  local first = icl.optim.adamw(groups(a))
  step(first, 0.1, { a, 2 })
  first:add_group(group(b, {}))
  step(first, 0.1, { a, 2 }, { b, 1 })
  local saved, at_a, at_b = first:state_dict(), a:get()[1], b:get()[1]
  step(first, 0.1, { a, 3 }, { b, 2 })
  local next_a, next_b = a:get()[1], b:get()[1]
  local added = icl.optim.adamw(groups(a))
  added:add_group(group(b, {}))
  for _, other in ipairs { added, icl.optim.adamw { group(a, {}), group(b, {}) } } do
    a:set { at_a }
    b:set { at_b }
    other:arrange_states(saved)
    other:load_state_dict(saved)
    step(other, 0.1, { a, 3 }, { b, 2 })
    check.near(a:get()[1], next_a, 1e-6)
    check.near(b:get()[1], next_b, 1e-6)
  end
end)

check("wrappers take groups for the optimizer inside", function()
  for _, wrap in ipairs { icl.optim.sam, icl.optim.lookahead } do
    local a, b = parameter({ 1 }, "a"), parameter({ 1 }, "b")
    local optimizer = wrap(icl.optim.sgd(groups(a)))
    optimizer:add_group(group(b, {}))
    check.equal(#optimizer.base.groups, 2)
    for _ = 1, 6 do
      icl.step(function() optimizer:step(0.1, function() (a * 2 + b):sum():backward() end) end)
    end
    check.equal(b:get()[1] < 1, true)
    optimizer:load_state_dict(optimizer:state_dict())
  end
  local a, b = parameter({ 1 }, "a"), parameter({ 5 }, "b")
  local slow = icl.optim.lookahead(icl.optim.sgd(groups(a), { momentum = 0, nesterov = false }), { k = 2 })
  step(slow, 1, { a, 0 })
  slow:add_group(group(b, {}))
  step(slow, 1, { a, 0 }, { b, 2 })
  check.near(b:get()[1], 4, 1e-6)  -- half the way to 3
  local plain = { step = print, groups = {}, named_states = print }
  check.raises(function() icl.optim.sam(plain):add_group {} end, "sam: the optimizer inside has no add_group")
end)

check("groups that cannot be added leave the optimizer as it is", function()
  local a, b = parameter({ 1 }, "a"), parameter({ 1 }, "b")
  local optimizer = icl.optim.sgd(groups(a))
  local twice = { parameters = { { name = "b", state = b }, { name = "b", state = b } } }
  for pattern, given in pairs {
    ["parameter a is there twice"] = group(a, {}), ["parameter b is there twice"] = twice,
    ["group 2 must be a table with the field parameters"] = icl.nn.linear(1, 1),
    ["parameter 1 must be a table.*module:named_parameters%(%) lists these"] = { parameters = { b } },
    ["group 2: the learning rate is given to each step"] = group(b, { lr = 1 }),
  } do
    check.raises(function() optimizer:add_group(given) end, "icl.optim.sgd: .*" .. pattern)
  end
  check.raises(function() icl.step(function() optimizer:add_group(group(b, {})) end) end, "add_group: a step is open")
  check.raises(function() optimizer:add_group(group(b, {}), 1) end, "add_group: 1 is an argument too many")
  check.equal(#optimizer.groups, 1)
  optimizer:add_group(group(b, {}))
end)

check("groups and their parameters are changed by add_group alone", function()
  local a, b = parameter({ 1 }, "a"), parameter({ 1 }, "b")
  local optimizer = icl.optim.sgd(groups(a))
  local adds = "optimizer:add_group { parameters = %.%.%. } adds a group"
  check.raises(function() optimizer.groups[1].parameters = {} end, "group 1: the parameters of a group are .*" .. adds)
  check.raises(function() optimizer.groups[1].name = "x" end, "group 1: name is settled when the optimizer is made")
  check.raises(function() table.insert(optimizer.groups, group(b, {})) end, "the list of groups cannot .*" .. adds)
  check.raises(function() table.insert(optimizer.groups[1].parameters, { name = "b", state = b }) end,
    "group 1: the list of parameters cannot be assigned to: " .. adds)
  check.raises(function() optimizer.groups[1].lr = 1 end, "a group has lr_scale, its rate relative to that")
end)

check("options are no fields of an optimizer", function()
  local w = parameter({ 1 }, "w")
  local inner = icl.optim.sgd(groups(w))
  local outer = icl.optim.sam(icl.optim.lookahead(inner))
  for pattern, change in pairs {
    ["sgd: the learning rate is given to each step: optimizer:step%(0.1%)"] = function() inner.lr = 0.1 end,
    ["sgd: momentum is one of the options: optimizer%.options%.momentum = 0%.5"] = function() inner.momentum = 0.5 end,
    ["sam: rho is one of the options: optimizer%.options%.rho = 1"] = function() outer.rho = 1 end,
    ["sam: k is one of the options: optimizer%.base%.options%.k = 2"] = function() outer.k = 2 end,
    ["sam: momentum is .*optimizer%.base%.base%.options%.momentum = 0"] = function() outer.momentum = 0 end,
    ["sam: the learning rate is given to each step"] = function() outer.lr = 1 end,
  } do
    check.raises(change, "icl.optim." .. pattern)
  end
  local plain = inner.step
  inner.steps = 0
  function inner:step(...)
    self.steps = self.steps + 1
    return plain(self, ...)
  end
  step(inner, 0.1, { w, 1 })
  check.equal(inner.steps, 1)
  local own = icl.optim.define("own", { defaults = { count = 1, slow = 2 }, counts = true,
                                        update = function(p) return p end })
  icl.optim.lookahead(own(groups(w)))
end)

check("what optimizers have in PyTorch is an error that says what does the same", function()
  local inner = icl.optim.sgd(groups(parameter({ 1 }, "w")))
  for _, optimizer in ipairs { inner, icl.optim.sam(inner), icl.optim.lookahead(inner) } do
    check.raises(function() optimizer:zero_grad() end, "optimizer: there is no 'zero_grad': gradients are used up by")
    check.raises(function() return optimizer.param_groups[1] end, "'param_groups': optimizer.groups")
    check.raises(function() optimizer:add_param_group {} end, "optimizer:add_group { parameters = %.%.%. }")
    check.equal(optimizer.anything, nil)
  end
end)

check.close()
