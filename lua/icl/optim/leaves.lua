-- optim/leaves.lua: leaves { name = number or tensor, ... } -> the same with a tensor in place of each number: what all
-- parameters of a group are updated with is recorded once a step, not once a parameter.
local core = require "icl.core"

return function(values)
  for name, value in pairs(values) do
    if type(value) == "number" then values[name] = core.number(value) end
  end
  return values
end
