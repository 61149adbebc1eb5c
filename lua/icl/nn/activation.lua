-- nn/activation.lua: layers that apply one method of tensors to each element or row.
local arguments = require "icl.internal.arguments"
local check_input = require "icl.nn.input"
local Module = require "icl.nn.module"

-- activation(name [, option, check]) -> the class of layers that call x:NAME(), or x:NAME(option) with what the
-- constructor was given; check(what, value) is an error where the method would not take it.
return function(name, option, check)
  local Activation = Module.class(name)

  function Activation:init(value, ...)
    arguments.no_more("nn." .. name, option or "no arguments", ...)
    if not option then return arguments.no_more("nn." .. name, "no arguments", value) end
    if value ~= nil then
      check(("nn.%s: %s"):format(name, option), value)
      self[option], self.text = value, tostring(value)
    end
  end

  function Activation:forward(x)
    check_input(self, x)
    if not option then return x[name](x) end
    return x[name](x, self[option])
  end

  return Activation
end
