-- optim/groups.lua: parameter groups.
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"

local groups = {}

-- Which parameters decay, by name and shape. "all": every one; "weights": not the vectors, that is batch-norm
-- parameters and biases; "conv.weight": only those whose names contain that, the rule some published figures were made
-- with, which keeps little more than the stem.
local rules = {
  all = function() return true end,
  weights = function(_, state) return #state:shape() > 1 end,
  ["conv.weight"] = function(name) return name:find("conv.weight", 1, true) ~= nil end,
}
groups.rules = arguments.names(rules)

-- groups.split(module, weight_decay, rule) -> list of two groups, { name =, weight_decay =, parameters = }, whose
-- parameters are lists of { name =, state = }.
function groups.split(module, weight_decay, rule)
  arguments.choice("weight_decay_of", rule, groups.rules)
  local decays, rest = {}, {}
  for _, parameter in ipairs(module:named_parameters()) do
    table.insert(rules[rule](parameter.name, parameter.state) and decays or rest, parameter)
  end
  return {
    { name = "decay", weight_decay = weight_decay, parameters = decays },
    { name = "no decay", weight_decay = 0, parameters = rest },
  }
end

local function check_group(what, number, group)
  if type(group) ~= "table" or type(group.parameters) ~= "table" then
    fail("%s: group %d must be a table with the field parameters, a list of { name =, state = }", what, number)
  end
  for i, parameter in ipairs(group.parameters) do
    if type(parameter) ~= "table" or not (parameter.name and parameter.state) then
      fail("%s: group %d, parameter %d must be a table { name =, state = }", what, number, i)
    end
  end
end

-- The groups of what an optimizer was given: a module, or a list of groups made by hand.
function groups.of(what, given, options)
  if type(given) == "table" and given.named_parameters then
    return groups.split(given, options.weight_decay, options.weight_decay_of)
  end
  if type(given) ~= "table" then
    fail("%s: it takes a module or a list of parameter groups, not a %s", what, type(given))
  end
  local list = {}
  for i, group in ipairs(given) do
    check_group(what, i, group)
    list[i] = { name = group.name or tostring(i), weight_decay = group.weight_decay or options.weight_decay,
                parameters = group.parameters }
  end
  return list
end

-- Calls f(name, state, group) for each parameter that is trained.
function groups.each(list, f)
  for _, group in ipairs(list) do
    for _, parameter in ipairs(group.parameters) do
      if parameter.state.trainable then f(parameter.name, parameter.state, group) end
    end
  end
end

return groups
