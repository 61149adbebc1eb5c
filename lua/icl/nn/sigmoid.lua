-- nn/sigmoid.lua: 1 / (1 + e^-x) as a module.
return require "icl.nn.activation" "sigmoid"
