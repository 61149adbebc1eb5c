-- nn/relu.lua: max(x, 0) as a module.
local Relu = require "icl.nn.module".class "relu"

function Relu:forward(x)
  return x:relu()
end

return Relu
