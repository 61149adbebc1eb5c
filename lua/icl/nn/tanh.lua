-- nn/tanh.lua: the hyperbolic tangent as a module.
return require "icl.nn.activation" "tanh"
