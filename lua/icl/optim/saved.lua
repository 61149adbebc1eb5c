-- optim/saved.lua: what optimizers and their wrappers have in common: their states as lists, and back; and errors for
-- what would have no effect.
local arguments = require "icl.internal.arguments"
local elsewhere = require "icl.internal.elsewhere"
local fail = require "icl.internal.fail"
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

-- A new field, unless it is one of the options, of the optimizer or of one that it wraps: these are in `options`.
local function assign(self, name, value)
  if name == "lr" then fail("%s: the learning rate is given to each step: optimizer:step(0.1)", self.name) end
  local at, path = self, "optimizer"
  while at do
    local options = rawget(at, "options")
    if options and options[name] ~= nil then
      fail("%s: %s is one of the options: %s.options.%s = %s", self.name, name, path, name, arguments.described(value))
    end
    at, path = rawget(at, "base"), path .. ".base"
  end
  rawset(self, name, value)
end

-- saved(class) -> the class, whose objects have a name and named_states(), with these methods.
local function saved(class)
  for name, method in pairs(methods) do class[name] = method end
  class.__index, class.__newindex = class, assign
  return setmetatable(class, elsewhere.hints "optimizer")
end

return saved
