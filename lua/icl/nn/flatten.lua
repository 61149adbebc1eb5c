-- nn/flatten.lua: (n, h, w, c) -> (n, c h w), channels first as in PyTorch.
local Flatten = require "icl.nn.module".class "flatten"

function Flatten:forward(x)
  return x:flatten()
end

return Flatten
