-- nn/softplus.lua: log(1 + e^x) as a module.
return require "icl.nn.activation" "softplus"
