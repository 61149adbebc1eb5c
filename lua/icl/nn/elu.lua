-- nn/elu.lua: x where it is positive, else alpha (e^x - 1), as a module (Clevert et al. 2015). nn.elu([alpha]): 1
-- unless given.
local arguments = require "icl.internal.arguments"

return require "icl.nn.activation"("elu", "alpha", arguments.finite)
