-- nn/relu.lua: max(x, 0) as a module.
return require "icl.nn.activation" "relu"
