-- nn/softmax.lua: e^x divided by its sum along an axis, as a module. nn.softmax([dim]): the last axis unless given.
-- Losses take logits: a classifier needs no softmax at its end.
local arguments = require "icl.internal.arguments"

return require "icl.nn.activation"("softmax", "dim", function(what, value)
  arguments.integer(what, value, -6, 6)
end)
