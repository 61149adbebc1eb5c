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
local weights = require "icl.weights"

local Optimizer = {}
Optimizer.__index = Optimizer

local shared_defaults = {
  weight_decay = 0,
  weight_decay_of = "all",  -- which parameters of a module decay: all, weights (not batch norm and biases), conv.weight
                            -- (only names with that)
  gradient_clip = 0,        -- largest norm of all gradients together; 0: no limit
  divide = 1,               -- gradients are divided by this after clipping
}

-- The options given, and the defaults for what is missing. A list is copied: options may be changed between steps.
local function complete(self, given)
  local defaults = {}
  for _, set in ipairs { shared_defaults, self.rule.defaults or {} } do
    for name, value in pairs(set) do defaults[name] = value end
  end
  local options = arguments.options(self.name, given, defaults)
  for name, default in pairs(defaults) do
    local value = options[name]
    if type(value) ~= type(default) then
      fail("%s: %s is %s; it must be a %s", self.name, name, tostring(value), type(default))
    end
    if type(value) == "table" then
      for _, number in ipairs(value) do arguments.number(self.name .. ": " .. name, number, 0) end
      options[name] = table.move(value, 1, #value, 1, {})
    elseif type(value) == "number" then
      arguments.number(self.name .. ": " .. name, value, 0)
    end
  end
  if options.divide == 0 then fail("%s: divide is 0", self.name) end
  return options
end

-- The states of a parameter by name, zeros of its shape.
local function make_states(self, parameter)
  local name, state, own = parameter.name, parameter.state, {}
  if self.own[state] then fail("%s: parameter %s is there twice", self.name, name) end
  for _, kind in ipairs(self.state_names) do
    own[kind] = core.state(core.full(state:shape(), 0, state:dtype()), { name = kind .. "." .. name })
  end
  self.own[state] = own
end

-- optimizer:step(lr): one update with the gradients of this step, which are used up. lr is a number or a tensor of
-- one element.
function Optimizer:step(lr)
  local rule, gradients = self.rule, gradients_of(self.name, self.groups, self.options)
  local s = { lr = type(lr) == "number" and lr or lr:reshape {} }
  for name, value in pairs(self.options) do s[name] = value end
  if self.count then
    s.t = self.count + 1
    self.count:write(s.t)
  end
  if rule.prepare then rule.prepare(s) end
  groups.each(self.groups, function(_, state, group)
    s.weight_decay = group.weight_decay
    state:write(rule.update(state, gradients[state], self.own[state], s))
    state:clear_grad()
  end)
end

-- optimizer:named_states() -> list of { name =, state =, module =, key = }: what a resumed run needs besides the
-- parameters.
function Optimizer:named_states()
  local list = { self.count and { name = "step", state = self.count, module = self, key = "step" } }
  for _, group in ipairs(self.groups) do
    for _, parameter in ipairs(group.parameters) do
      for _, kind in ipairs(self.state_names) do
        local state = self.own[parameter.state][kind]
        list[#list + 1] = { name = kind .. "." .. parameter.name, state = state, module = self, key = kind }
      end
    end
  end
  return list
end

-- optimizer:state_dict() -> list of { name =, tensor = }
function Optimizer:state_dict()
  return weights.state_dict(self)
end

-- optimizer:load_state_dict(list [, { strict = true }]): such a list; names and shapes must agree unless strict is
-- false.
function Optimizer:load_state_dict(list, options)
  options = arguments.options(self.name, options, { strict = true })
  options.target = self.name
  return weights.load_state_dict(self, list, options)
end

local fields = { "defaults", "states", "counts", "check", "prepare", "update" }

-- icl.optim.define(name, rule) -> a function (module or groups [, options]) -> an optimizer. A group is { name =,
-- weight_decay =, parameters = list of { name =, state = } }; a module's parameters are put into two by the rule
-- `weight_decay_of`. Options are those of the rule and weight_decay, weight_decay_of, gradient_clip, divide; numbers
-- may be changed between steps: optimizer.options.momentum = 0.95. Of the rule only `update` is needed:
--
--   defaults        the options and their defaults: numbers, lists of numbers, booleans
--   states          names of the states of each parameter, which begin as zeros; or a function of the options
--   counts          true: the steps are counted, as a state
--   check(what, o)  raises an error where options make no sense
--   prepare(s)      once a step, before all updates: s holds the options, lr, and t where steps are counted (1 in the
--                   first; a tensor, f64, as bias corrections need it); what several updates need is put into s
--   update(p, g, own, s) -> the parameter's new value: p is the parameter, g its gradient, own its states by name, to
--                   be read and written; s as above, with the weight_decay of the group
--
-- What changes from step to step should be a number or a tensor in s, not an attribute, or each step is planned anew.
local function define(name, rule)
  local what = "icl.optim." .. name
  arguments.options(what, rule, {}, fields)
  if type(rule.update) ~= "function" then fail("%s: an optimizer needs a function `update`", what) end
  return function(given, options)
    local self = setmetatable({ name = what, rule = rule, own = {} }, Optimizer)
    self.options = complete(self, options)
    if rule.check then rule.check(what, self.options) end
    self.groups = groups.of(what, given, self.options)
    self.state_names = type(rule.states) == "function" and rule.states(self.options) or rule.states or {}
    for _, group in ipairs(self.groups) do
      for _, parameter in ipairs(group.parameters) do make_states(self, parameter) end
    end
    self.count = rule.counts and core.state(core.full({}, 0, "f64"), { name = "step", dtype = "f64" }) or nil
    return self
  end
end

return define
