-- nn/hardswish.lua: x times a line from 0 at -3 to 1 at 3, as a module (Howard et al. 2019).
return require "icl.nn.activation" "hardswish"
