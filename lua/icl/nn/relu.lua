-- nn/relu.lua: max(x, 0) as a module.
local check_input = require "icl.nn.input"
local Relu = require "icl.nn.module".class "relu"

function Relu:forward(x)
  check_input(self, x)
  return x:relu()
end

return Relu
