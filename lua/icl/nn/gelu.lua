-- nn/gelu.lua: x P(z <= x) of a normal z as a module (Hendrycks and Gimpel 2016). nn.gelu "tanh" is PyTorch's
-- approximation by tanh.
local arguments = require "icl.internal.arguments"

return require "icl.nn.activation"("gelu", "approximate", function(what, value)
  arguments.choice(what, value, { "none", "tanh" })
end)
