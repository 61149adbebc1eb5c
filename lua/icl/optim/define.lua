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
local cohorts = require "icl.optim.cohorts"
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
  lr = "the learning rate of the step, optimizer:step(0.1)", t = "the number of the update",
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
  local elsewhere_of_group = {
    lr = "the learning rate is given to each step; a group has lr_scale, its rate relative to that",
    parameters = "the parameters of a group are settled; optimizer:add_group { parameters = ... } adds a group",
  }
  return { defaults = defaults, check = check, settled = { weight_decay_of = true }, elsewhere = elsewhere },
    { defaults = of_group, check = rule.check, settled = { name = true }, elsewhere = elsewhere_of_group }
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

local function check_name(what, rule, name)
  if rule.counts and name == "step" then fail("%s: step is the name of the count", what) end
end

-- The names of states: a list of texts that differ, also from those of a cohort where updates are counted.
local function check_states(what, rule, states)
  if type(states) == "function" then return end
  local list, seen = arguments.typed(what .. ": states", states or {}, "table", "a list of names or a function"), {}
  local fault = core.list_fault(list)
  if fault then fail("%s: states: %s; it takes a list of names: { \"momentum_buffer\" }", what, fault) end
  for _, name in ipairs(list) do
    arguments.typed(what .. ": states", name, "string", "a list of names")
    if seen[name] then fail("%s: states: %s is there twice", what, name) end
    if rule.counts and (rule.group_states or {})[name] then
      fail("%s: states: %s is the name of a state of the group, too", what, name)
    end
    check_name(what .. ": states", rule, name)
    seen[name] = true
  end
end

local function check_rule(what, rule)
  check_defaults(what, rule.defaults)
  local of_groups = arguments.typed(what .. ": group_states", rule.group_states or {}, "table",
    "a table { name = number }")
  for name, value in pairs(of_groups) do
    arguments.finite(("%s: group_states: %s"):format(what, tostring(name)), value)
    check_name(what .. ": group_states", rule, name)
  end
  check_states(what, rule, rule.states)
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
local function new_states(self, parameter, group)
  local name, state, own = parameter.name, parameter.state, {}
  local kinds = state_names(self.rule, group, state)
  if type(kinds) ~= "table" then
    fail("%s: states: the function returned %s; it returns a list of names", self.name, arguments.described(kinds))
  end
  check_states(self.name, self.rule, kinds)
  for _, kind in ipairs(kinds) do
    own[kind] = core.state(core.full(state:shape(), 0, state:dtype()), { name = kind .. "." .. name })
  end
  return own, kinds
end

-- Makes the states of the group `number`, whose updates `count` counts.
local function make_states(self, number, group, count)
  local own, kinds = {}, {}
  for _, parameter in ipairs(group.parameters) do
    local state = parameter.state
    if self.own[state] or own[state] then fail("%s: parameter %s is there twice", self.name, parameter.name) end
    own[state], kinds[state] = new_states(self, parameter, group)
  end
  rawset(group, "cohorts", { cohorts.new(self.rule, number, group.parameters, count) })
  for state in pairs(own) do self.own[state], self.kinds[state] = own[state], kinds[state] end
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

-- What the updates of a cohort are told: the options of its group, the rate, the update, and what `prepare` adds.
local function settings_of(self, group, cohort, lr, t)
  local s = { lr = group.lr_scale == 1 and lr or lr * group.lr_scale, t = t, group = cohort.states }
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

-- counting() -> a function of a count, which adds 1 in its first call for that one; -> what it is then, 1 in the first
-- update. Of no count, nil.
local function counting()
  local numbers = {}
  return function(count)
    if not count then return nil end
    if not numbers[count] then
      numbers[count] = count + 1
      count:write(numbers[count])
    end
    return numbers[count]
  end
end

local function update_parameter(self, parameter, gradient, group, s)
  local state = parameter.state
  local results = table.pack(self.rule.update(state, gradient, states_of(self, state, group, s), s))
  if results.n ~= 1 then
    fail("%s: update returned %d values; it returns one, the parameter's new value", self.name, results.n)
  end
  state:write(results[1])
  state:clear_grad()
end

-- optimizer:step(lr [, f]) -> what f() returns: one update with the gradients of this step, which are used up. A
-- parameter without one, in a part of the network that this step left out, stays as it is, and so do its moments and
-- the count of its updates. lr is a number or a tensor of one element; f is called first, to leave gradients:
-- function() loss:backward() end. Wrappers that need several passes (icl.optim.sam) call it as often.
function Optimizer:step(lr, f)
  local rate, results = rate_of(self, lr), table.pack(call(self, f))
  local gradients, counted = gradients_of(self, self.options), counting()
  local updates = self.count and cohorts.separate(self, gradients)
  for _, group in ipairs(self.groups) do
    for _, cohort in ipairs(group.cohorts) do
      if not updates or updates[cohort] then
        local s = settings_of(self, group, cohort, rate, counted(cohort.count))
        for _, parameter in ipairs(cohort.parameters) do
          local gradient = gradients[parameter.state]
          if gradient then update_parameter(self, parameter, gradient, group, s) end
        end
      end
    end
  end
  return table.unpack(results, 1, results.n)
end

local function cohorts_of(group)
  local by_parameter = {}
  for _, cohort in ipairs(group.cohorts) do
    for _, parameter in ipairs(cohort.parameters) do by_parameter[parameter] = cohort end
  end
  return by_parameter
end

local function list_states(self)
  local list = { self.count and { name = "step", state = self.count, module = self, key = "step" } }
  local function add(key, of, state)
    list[#list + 1] = { name = key .. "." .. of, state = state, module = self, key = key }
  end
  for number, group in ipairs(self.groups) do
    local first, cohort_of = group.cohorts[1], cohorts_of(group)
    if first.count == self.count then
      for _, name in ipairs(arguments.names(first.states)) do add(name, "group" .. number, first.states[name]) end
    end
    for _, parameter in ipairs(group.parameters) do
      local cohort = cohort_of[parameter]
      if cohort.count ~= self.count then
        for _, name in ipairs(cohorts.own_names(self.rule)) do
          add(name, parameter.name, name == "step" and cohort.count or cohort.states[name])
        end
      end
      for _, kind in ipairs(self.kinds[parameter.state]) do
        add(kind, parameter.name, self.own[parameter.state][kind])
      end
    end
  end
  return list
end

-- optimizer:named_states() -> list of { name =, state =, module =, key = }: what a resumed run needs besides the
-- parameters. `step` counts updates; a parameter that was left out of some has a count of its own, `step.NAME`, which
-- those with the same updates share.
function Optimizer:named_states()
  self.listed = self.listed or list_states(self)
  return table.move(self.listed, 1, #self.listed, 1, {})
end

-- optimizer:arrange_states(list of { name =, tensor = }) -> a function that undoes it, or nil: the counts are those of
-- which such a list has values, of all parameters or of some.
function Optimizer:arrange_states(tensors)
  if not self.count then return nil end
  local before = cohorts.arrange(self, tensors)
  return function() cohorts.put_back(self, before) end
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

-- optimizer:add_group(group) -> the group: adds one to those that the optimizer was made with, of the same form, {
-- parameters = list of { name =, state = }, lr_scale = 1, ... }: see icl.optim.define. Its states begin anew, and so
-- does the count of its updates. Not inside a step. A run that goes on needs the same groups before it begins.
function Optimizer:add_group(group, ...)
  local what, number = self.name .. ": add_group", #self.groups + 1
  arguments.no_more(what, "a group", ...)
  if core.in_step() then fail("%s: a step is open; groups are added between steps", what) end
  local made = groups.one(self.name, number, group, self.group_rules, self.options)
  make_states(self, number, made, self.count and cohorts.new_count())
  rawset(self.groups, number, made)
  self.listed = nil
  return made
end

local fields = { "defaults", "states", "group_states", "counts", "check", "prepare", "update" }

-- icl.optim.define(name, rule) -> a function (module or groups [, options]) -> an optimizer. Options are those of the
-- rule and weight_decay, weight_decay_of, gradient_clip, divide. A group is { parameters = list of { name =, state = }
-- } with what it has of its own: a name, lr_scale = 1 (its rate, relative to that of the step) and any option but the
-- last three; a module's parameters are put into two groups by the rule `weight_decay_of`. Options may be changed
-- between steps, for all groups that have none of their own or for one: optimizer.options.momentum = 0.95,
-- optimizer.groups[2].lr_scale = 0; optimizer:add_group adds a group. Of the rule only `update` is needed:
--
--   defaults        the options and their defaults: numbers, lists of numbers, booleans
--   states          names of the states of each parameter, which begin as zeros; or a function of the options and the
--                   parameter
--   group_states    states of a group as a whole, numbers (f64), by name with what they begin as; in s.group
--   counts          true: updates are counted, as a state. Parameters of a group that had not the same ones, since
--                   steps left some out, have a count and group_states of their own, as if they were groups
--   check(what, o)  raises an error where options make no sense
--   prepare(s)      once a step for each group, before its updates: s holds the options, lr, and t where updates are
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
    local self = { name = what, rule = rule, rules = rules, group_rules = group_rules, own = {}, kinds = {} }
    if options ~= nil and type(options) ~= "table" then
      fail("%s: options must be a table, not a %s", what, type(options))
    end
    self.options = settings.new(what, rules, options)
    self.groups = groups.of(what, given, group_rules, self.options)
    self.count = rule.counts and cohorts.new_count() or nil
    for number, group in ipairs(self.groups) do make_states(self, number, group, self.count) end
    return setmetatable(self, Optimizer)
  end
end

return define
