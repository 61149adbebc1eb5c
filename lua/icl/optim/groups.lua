-- optim/groups.lua: parameter groups.
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local settings = require "icl.optim.settings"

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

-- The two groups of a module's parameters by a rule: those that decay as the optimizer's options say, and the others.
local function split(module, rule)
  local decays, rest = {}, {}
  for _, parameter in ipairs(module:named_parameters()) do
    table.insert(rules[rule](parameter.name, parameter.state) and decays or rest, parameter)
  end
  return { { name = "decay", parameters = decays }, { name = "no decay", weight_decay = 0, parameters = rest } }
end

local function check_group(what, number, group)
  if type(group) ~= "table" or type(group.parameters) ~= "table" then
    fail("%s: group %d must be a table with the field parameters, a list of { name =, state = }", what, number)
  end
  for i, parameter in ipairs(group.parameters) do
    if type(parameter) ~= "table" or not (parameter.name and parameter.state) then
      fail("%s: group %d, parameter %d must be a table { name =, state = }; module:named_parameters() lists these",
        what, number, i)
    end
  end
end

-- A copy of a list that takes no more entries: an error that begins with `what`.
local function closed(list, what)
  return setmetatable(table.move(list, 1, #list, 1, {}), { __newindex = function()
    fail("%s cannot be assigned to: optimizer:add_group { parameters = ... } adds a group", what)
  end })
end

-- groups.one(what, number, group, rule, options) -> what a group was given, as a table of its options (settings.lua)
-- that also has its name and parameters.
function groups.one(what, number, group, rule, options)
  check_group(what, number, group)
  local own, called = {}, ("%s: group %d"):format(what, number)
  for name, value in pairs(group) do own[name] = value end
  own.name, own.parameters = nil, nil
  local behind = { name = group.name or tostring(number),
                   parameters = closed(group.parameters, called .. ": the list of parameters") }
  return settings.new(called, rule, own, setmetatable(behind, { __index = options }))
end

-- groups.of(what, given, rule, options) -> the groups of what an optimizer was given: a module, or a list of groups
-- made by hand. `rule` is that of settings.new for a group; what a group leaves open is that of `options`.
function groups.of(what, given, rule, options)
  if type(given) ~= "table" then
    fail("%s: it takes a module or a list of parameter groups, not a %s", what, type(given))
  end
  local list = given
  if given.named_parameters then
    list = split(given, options.weight_decay_of)
  elseif options.weight_decay_of ~= "all" then
    fail("%s: weight_decay_of chooses among the parameters of a module; groups made by hand say weight_decay", what)
  end
  if #list == 0 and list == given then fail("%s: the list of parameter groups is empty", what) end
  local result = {}
  for i, group in ipairs(list) do result[i] = groups.one(what, i, group, rule, options) end
  return closed(result, what .. ": the list of groups")
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
