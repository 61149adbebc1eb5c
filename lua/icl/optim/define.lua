-- optim/define.lua: what all optimizers share: groups, clipping, counting, saving. An optimizer itself is its defaults,
-- the names of its states, and the rule of an update; this is a whole one (Bernstein et al. 2018):
--
--   local signum = icl.optim.define("signum", {
--     defaults = { momentum = 0.9 },
--     states = { "momentum_buffer" },
--     update = function(p, g, own, s)
--       local m = s.momentum * own.momentum_buffer + (1 - s.momentum) * (g + s.weight_decay * p)
--       own.momentum_buffer:write(m)
--       return p - s.lr * m:sign()
--     end,
--   })
--   icl.fit { model = model, train = train, options = opt, optimizer = signum(model, { weight_decay = 1e-4 }) }
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local gradients_of = require "icl.optim.gradients"
local groups = require "icl.optim.groups"
local saved = require "icl.optim.saved"
local settings = require "icl.optim.settings"

-- takes_function: step() takes a function that leaves gradients, too.
local Optimizer = saved { takes_function = true }

local shared_defaults = {
  weight_decay = 0,
  weight_decay_of = "all",  -- which parameters of a module decay: all, weights (not batch norm and biases), conv.weight
                            -- (only names with that)
  gradient_clip = 0,        -- largest norm of all gradients together; 0: no limit
  divide = 1,               -- gradients are divided by this after clipping
}

-- Options that are about all parameters together, or about how they are grouped: groups do not have them.
local of_all = { weight_decay_of = true, gradient_clip = true, divide = true }

local function merged(...)
  local all = {}
  for _, set in ipairs { ... } do
    for name, value in pairs(set) do all[name] = value end
  end
  return all
end

-- What updates are told under names that no option may have.
local told = {
  lr = "the learning rate of the step, optimizer:step(0.1)", t = "the number of the step",
  group = "the states of the group", lr_scale = "an option of groups",
}

-- The rules of settings.new: for the options of the optimizer, and for those of a group.
local function rules_of(rule)
  local defaults = merged(shared_defaults, rule.defaults or {})
  local function check(what, o)
    arguments.choice(what .. ": weight_decay_of", o.weight_decay_of, groups.rules)
    if o.divide == 0 then fail("%s: divide is 0", what) end
    if rule.check then rule.check(what, o) end
  end
  local of_group = merged(defaults, { lr_scale = 1 })
  for name in pairs(of_all) do of_group[name] = nil end
  local elsewhere = { lr = "the learning rate is given to each step: optimizer:step(0.1)" }
  return { defaults = defaults, check = check, settled = { weight_decay_of = true }, elsewhere = elsewhere },
    { defaults = of_group, check = rule.check, settled = {} }
end

-- ---- checks of a rule ----

local function check_defaults(what, defaults)
  for name in pairs(arguments.typed(what .. ": defaults", defaults or {}, "table", "a table { name = value }")) do
    if type(name) ~= "string" then
      fail("%s: defaults: %s has no name; they are written as { momentum = 0.9 }", what,
        arguments.described(defaults[name]))
    elseif told[name] then
      fail("%s: defaults: %s cannot be an option of its own: it is %s", what, name, told[name])
    end
  end
end

-- The names of states: a list of texts that differ.
local function check_states(what, states)
  if type(states) == "function" then return end
  local list, seen = arguments.typed(what .. ": states", states or {}, "table", "a list of names or a function"), {}
  local fault = core.list_fault(list)
  if fault then fail("%s: states: %s; it takes a list of names: { \"momentum_buffer\" }", what, fault) end
  for _, name in ipairs(list) do
    arguments.typed(what .. ": states", name, "string", "a list of names")
    if seen[name] then fail("%s: states: %s is there twice", what, name) end
    seen[name] = true
  end
end

local function check_rule(what, rule)
  check_defaults(what, rule.defaults)
  check_states(what, rule.states)
  local of_groups = arguments.typed(what .. ": group_states", rule.group_states or {}, "table",
    "a table { name = number }")
  for name, value in pairs(of_groups) do arguments.finite(("%s: group_states: %s"):format(what, tostring(name)), value) end
  for _, name in ipairs { "check", "prepare" } do
    if rule[name] ~= nil then arguments.typed(("%s: %s"):format(what, name), rule[name], "function", "a function") end
  end
  if type(rule.update) ~= "function" then fail("%s: an optimizer needs a function `update`", what) end
end

-- ---- states ----

-- The names of the states that updates of a parameter with these options need.
local function state_names(rule, options, parameter)
  if type(rule.states) == "function" then return rule.states(options, parameter) end
  return rule.states or {}
end

-- The states of a parameter by name, zeros of its shape, and the list of these names.
local function make_states(self, parameter, group)
  local name, state, own = parameter.name, parameter.state, {}
  if self.own[state] then fail("%s: parameter %s is there twice", self.name, name) end
  local kinds = state_names(self.rule, group, state)
  if type(kinds) ~= "table" then
    fail("%s: states: the function returned %s; it returns a list of names", self.name, arguments.described(kinds))
  end
  check_states(self.name, kinds)
  for _, kind in ipairs(kinds) do
    own[kind] = core.state(core.full(state:shape(), 0, state:dtype()), { name = kind .. "." .. name })
  end
  self.own[state], self.kinds[state] = own, kinds
end

-- The states of a group as a whole, numbers, by name.
local function make_group_states(rule, number)
  local own = {}
  for name, value in pairs(rule.group_states or {}) do
    own[name] = core.state(core.full({}, value, "f64"), { name = ("%s.group%d"):format(name, number), dtype = "f64" })
  end
  return own
end

-- The learning rate as the rules of updates take it.
local function rate_of(self, lr)
  if type(lr) == "number" then return arguments.number(self.name .. ": step: the learning rate", lr, 0) end
  if type(lr) ~= "userdata" then
    fail("%s: step: it needs a learning rate, a number or a tensor of one element: optimizer:step(0.1)", self.name)
  end
  return lr:reshape {}
end

-- What the function returns that leaves gradients; nothing without one.
local function call(self, f)
  if f == nil then return end
  return arguments.typed(self.name .. ": step", f, "function", "a rate and a function that leaves gradients")()
end

-- What the updates of a group are told: its options, the rate, the step, and what `prepare` adds.
local function settings_of(self, group, lr, t)
  local s = { lr = group.lr_scale == 1 and lr or lr * group.lr_scale, t = t, group = group.states }
  for name in pairs(self.rules.defaults) do s[name] = group[name] end
  if self.rule.prepare then self.rule.prepare(s) end
  return s
end

-- The states of a parameter; an error if an update with the settings `s` needs others.
local function states_of(self, state, group, s)
  local own = self.own[state]
  for _, kind in ipairs(state_names(self.rule, s, state)) do
    if not own[kind] then
      fail("%s: group %s needs the state %s with these options; states are made with the optimizer", self.name,
        group.name, kind)
    end
  end
  return own
end

-- optimizer:step(lr [, f]) -> what f() returns: one update with the gradients of this step, which are used up. A
-- parameter without one, in a part of the network that this step left out, stays as it is, and so do its moments. lr is
-- a number or a tensor of one element; f is called first, to leave gradients: function() loss:backward() end. Wrappers
-- that need several passes (icl.optim.sam) call it as often.
function Optimizer:step(lr, f)
  local rate, results = rate_of(self, lr), table.pack(call(self, f))
  local gradients, t = gradients_of(self, self.options), nil
  if self.count then
    t = self.count + 1
    self.count:write(t)
  end
  for _, group in ipairs(self.groups) do
    local s = settings_of(self, group, rate, t)
    for _, parameter in ipairs(group.parameters) do
      local state = parameter.state
      local gradient = gradients[state]
      if gradient then
        state:write(self.rule.update(state, gradient, states_of(self, state, group, s), s))
        state:clear_grad()
      end
    end
  end
  return table.unpack(results, 1, results.n)
end

-- optimizer:named_states() -> list of { name =, state =, module =, key = }: what a resumed run needs besides the
-- parameters.
function Optimizer:named_states()
  local list = { self.count and { name = "step", state = self.count, module = self, key = "step" } }
  for number, group in ipairs(self.groups) do
    for _, name in ipairs(arguments.names(group.states)) do
      list[#list + 1] = { name = ("%s.group%d"):format(name, number), state = group.states[name], module = self,
                          key = name }
    end
    for _, parameter in ipairs(group.parameters) do
      for _, kind in ipairs(self.kinds[parameter.state]) do
        local state = self.own[parameter.state][kind]
        list[#list + 1] = { name = kind .. "." .. parameter.name, state = state, module = self, key = kind }
      end
    end
  end
  return list
end

-- optimizer:settings() -> the options that were changed since the optimizer was made, of all and by group, as a run
-- keeps them; optimizer:settings(changed) changes them again.
function Optimizer:settings(again)
  for name, value in pairs(again and again.options or {}) do self.options[name] = value end
  for number, changed in pairs(again and again.groups or {}) do
    for name, value in pairs(changed) do self.groups[tonumber(number)][name] = value end
  end
  local by_group = {}
  for i, group in ipairs(self.groups) do by_group[tostring(i)] = settings.changed(group) end
  return { options = settings.changed(self.options), groups = by_group }
end

local fields = { "defaults", "states", "group_states", "counts", "check", "prepare", "update" }

-- icl.optim.define(name, rule) -> a function (module or groups [, options]) -> an optimizer. Options are those of the
-- rule and weight_decay, weight_decay_of, gradient_clip, divide. A group is { parameters = list of { name =, state = }
-- } with what it has of its own: a name, lr_scale = 1 (its rate, relative to that of the step) and any option but the
-- last three; a module's parameters are put into two groups by the rule `weight_decay_of`. Options may be changed
-- between steps, for all groups that have none of their own or for one: optimizer.options.momentum = 0.95,
-- optimizer.groups[2].lr_scale = 0. Of the rule only `update` is needed:
--
--   defaults        the options and their defaults: numbers, lists of numbers, booleans
--   states          names of the states of each parameter, which begin as zeros; or a function of the options and the
--                   parameter
--   group_states    states of a group as a whole, numbers (f64), by name with what they begin as; in s.group
--   counts          true: the steps are counted, as a state
--   check(what, o)  raises an error where options make no sense
--   prepare(s)      once a step for each group, before its updates: s holds the options, lr, and t where steps are
--                   counted (1 in the first; a tensor, f64, as bias corrections need it); what several updates need is
--                   put into s
--   update(p, g, own, s) -> the parameter's new value: p is the parameter, g its gradient, own its states by name, to
--                   be read and written; s as above
--
-- What changes from step to step should be a number or a tensor in s, not an attribute, or each step is planned anew.
local function define(name, rule)
  arguments.typed("icl.optim.define", name, "string", "the name of an optimizer")
  local what = "icl.optim." .. name
  arguments.typed(what, rule, "table", "a name and a table, the rule")
  arguments.options(what, rule, {}, fields)
  check_rule(what, rule)
  local rules, group_rules = rules_of(rule)
  return function(given, options)
    local self = setmetatable({ name = what, rule = rule, rules = rules, own = {}, kinds = {} }, Optimizer)
    if options ~= nil and type(options) ~= "table" then
      fail("%s: options must be a table, not a %s", what, type(options))
    end
    self.options = settings.new(what, rules, options)
    self.groups = groups.of(what, given, group_rules, self.options)
    for number, group in ipairs(self.groups) do
      rawset(group, "states", make_group_states(rule, number))
      for _, parameter in ipairs(group.parameters) do make_states(self, parameter, group) end
    end
    self.count = rule.counts and core.state(core.full({}, 0, "f64"), { name = "step", dtype = "f64" }) or nil
    return self
  end
end

return define
