-- optim/sgd.lua: stochastic gradient descent with momentum (Sutskever et al. 2013) as PyTorch writes it:
--   g = gradient + weight_decay p;  v = momentum v + g;  p = p - lr v
-- or, with Nesterov's look-ahead, p = p - lr (g + momentum v).
local core = require "icl.core"
local ops = core.ops
local fail = require "icl.fail"
local arguments = require "icl.arguments"
local groups = require "icl.optim.groups"

local SGD = {}
SGD.__index = SGD

local defaults = {
  momentum = 0.9, nesterov = true, weight_decay = 0, decay = "all",
  gradient_clip = 0,  -- largest norm of all gradients together; 0: no limit
  divide = 1,         -- gradients are divided by this after clipping
}

-- icl.optim.sgd(module or groups [, options]) -> an optimizer. A group is { name =, weight_decay =, parameters = { {
-- name, state }, ... } }; a module's parameters are put into two groups by the rule `decay`: "all", "weights" (not
-- batch norm and biases) or "repo" (names with conv.weight). Numbers may be changed between steps:
-- optimizer.options.momentum = 0.95.
local function new(given, options)
  options = arguments.options("icl.optim.sgd", options, defaults)
  if options.nesterov and options.momentum == 0 then
    fail "icl.optim.sgd: nesterov needs a momentum above 0; give nesterov = false"
  end
  local parameter_groups, momentum = groups.of("icl.optim.sgd", given, options), {}
  for _, group in ipairs(options.momentum ~= 0 and parameter_groups or {}) do
    for _, parameter in ipairs(group.parameters) do
      local zeros = core.full(parameter[2]:shape(), 0)
      momentum[parameter[2]] = core.state(zeros, { name = "momentum." .. parameter[1] })
    end
  end
  return setmetatable({ options = options, groups = parameter_groups, momentum = momentum }, SGD)
end

local function update(self, state, gradient, lr, weight_decay)
  local options, velocity = self.options, self.momentum[state]
  if not velocity then return state - lr * (gradient + weight_decay * state) end
  local moved = ops.sgd_momentum(gradient, state, velocity, options.momentum, weight_decay)
  velocity:write(moved)
  if options.nesterov then return ops.sgd_nesterov(state, gradient, moved, lr, options.momentum, weight_decay) end
  return state - lr * moved
end

-- optimizer:step(lr): one update with the gradients of this step, which are used up. lr is a number or a tensor of
-- one element.
function SGD:step(lr)
  local gradients = groups.gradients("icl.optim.sgd", self.groups, self.options)
  groups.each(self.groups, function(_, state, group)
    state:write(update(self, state, gradients[state], lr, group.weight_decay))
    state:clear_grad()
  end)
end

-- optimizer:named_states() -> list of { name, state }: what a resumed run needs besides the parameters.
function SGD:named_states()
  local list = {}
  for _, group in ipairs(self.groups) do
    for _, parameter in ipairs(group.parameters) do
      local velocity = self.momentum[parameter[2]]
      if velocity then list[#list + 1] = { "momentum." .. parameter[1], velocity } end
    end
  end
  return list
end

-- optimizer:state_dict() -> list of { name =, tensor = }
function SGD:state_dict()
  local list = {}
  for i, entry in ipairs(self:named_states()) do list[i] = { name = entry[1], tensor = ops.detach(entry[2]) } end
  return list
end

-- optimizer:load_state_dict(list): such a list; every name must be there.
function SGD:load_state_dict(list)
  local by_name = {}
  for _, item in ipairs(list) do by_name[item.name] = item.tensor end
  for _, entry in ipairs(self:named_states()) do
    if not by_name[entry[1]] then fail("icl.optim.sgd: %s is missing in the state to load", entry[1]) end
  end
  for _, entry in ipairs(self:named_states()) do entry[2]:write(by_name[entry[1]]) end
end

return new
