-- nn/leaky_relu.lua: x where it is positive, else slope x, as a module (Maas et al. 2013). nn.leaky_relu([slope]): 0.01
-- unless given.
local arguments = require "icl.internal.arguments"

return require "icl.nn.activation"("leaky_relu", "slope", arguments.finite)
