-- nn/flatten.lua: (n, h, w, c) -> (n, c h w), channels first as in PyTorch.
local check_input = require "icl.nn.input"
local Flatten = require "icl.nn.module".class "flatten"

function Flatten:forward(x)
  check_input(self, x)
  return x:flatten()
end

return Flatten
