-- nn/silu.lua: x sigmoid(x) as a module (Elfwing et al. 2017).
return require "icl.nn.activation" "silu"
