-- optim/saved.lua: what optimizers and their wrappers have in common: their states as lists, and back.
local arguments = require "icl.internal.arguments"
local weights = require "icl.weights"

local methods = {}

-- optimizer:state_dict() -> list of { name =, tensor = }
function methods:state_dict()
  return weights.state_dict(self)
end

-- optimizer:load_state_dict(list [, { strict = true }]): such a list; names and shapes must agree unless strict is
-- false.
function methods:load_state_dict(list, options)
  options = arguments.options(self.name, options, { strict = true })
  options.target = self.name
  return weights.load_state_dict(self, list, options)
end

-- saved(class) -> the class, whose objects have a name and named_states(), with these methods.
local function saved(class)
  for name, method in pairs(methods) do class[name] = method end
  class.__index = class
  return class
end

return saved
