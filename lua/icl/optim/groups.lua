-- optim/groups.lua: parameter groups, and what happens to gradients before any optimizer uses them.
local fail = require "icl.fail"
local arguments = require "icl.arguments"

local groups = {}

-- Which parameters decay, by name and shape. "all": every one; "weights": not the vectors, that is batch-norm
-- parameters and biases; "repo": only names that end in conv.weight, the rule some published figures were made with,
-- which keeps little more than the stem.
local rules = {
  all = function() return true end,
  weights = function(_, state) return #state:shape() > 1 end,
  repo = function(name) return name:find("conv.weight", 1, true) ~= nil end,
}
groups.rules = arguments.names(rules)

-- groups.split(module, weight_decay, rule) -> list of { name =, weight_decay =, parameters = { { name, state }, ... }
-- }.
function groups.split(module, weight_decay, rule)
  arguments.choice("decay", rule, groups.rules)
  local decays, rest = {}, {}
  for _, parameter in ipairs(module:named_parameters()) do
    table.insert(rules[rule](parameter[1], parameter[2]) and decays or rest, parameter)
  end
  return {
    { name = "decay", weight_decay = weight_decay, parameters = decays },
    { name = "no decay", weight_decay = 0, parameters = rest },
  }
end

-- The groups of what an optimizer was given: a module, or a list of groups made by hand.
function groups.of(what, given, options)
  if type(given) == "table" and given.named_parameters then
    return groups.split(given, options.weight_decay, options.decay)
  end
  if type(given) ~= "table" then
    fail("%s: it takes a module or a list of parameter groups, not a %s", what, type(given))
  end
  local list = {}
  for i, group in ipairs(given) do
    if type(group) ~= "table" or type(group.parameters) ~= "table" then
      fail("%s: group %d must be a table with the field parameters, a list of { name, state }", what, i)
    end
    list[i] = { name = group.name or tostring(i), weight_decay = group.weight_decay or options.weight_decay,
                parameters = group.parameters }
  end
  return list
end

-- Calls f(name, state, group) for each parameter that is trained.
function groups.each(list, f)
  for _, group in ipairs(list) do
    for _, parameter in ipairs(group.parameters) do
      if parameter[2].trainable then f(parameter[1], parameter[2], group) end
    end
  end
end

-- min(1, limit / (norm + 1e-6)) for the norm of all gradients together; one element.
local function clip_scale(gradients, limit)
  local total
  for _, gradient in ipairs(gradients) do
    local squares = (gradient * gradient):sum()
    total = total and total + squares or squares
  end
  return (limit / (total:sqrt() + 1e-6)):minimum(1)
end

-- groups.gradients(what, list, options) -> the gradients of the trained parameters, by state. A parameter without one
-- is an error. gradient_clip (0: none) limits the norm of all of them together; they are divided by `divide`
-- afterwards.
function groups.gradients(what, list, options)
  local states, gradients = {}, {}
  groups.each(list, function(name, state)
    local gradient = state.grad
    if not gradient then
      fail("%s: parameter %s has no gradient; call loss:backward() in this step, or freeze what is not used",
        what, name)
    end
    states[#states + 1], gradients[#gradients + 1] = state, gradient
  end)
  local scale = options.gradient_clip > 0 and #gradients > 0 and clip_scale(gradients, options.gradient_clip)
  local by_state = {}
  for i, state in ipairs(states) do
    local gradient = gradients[i]
    if scale then gradient = gradient * scale end
    if options.divide ~= 1 then gradient = gradient / options.divide end
    by_state[state] = gradient
  end
  return by_state
end

return groups
