-- tensor/backward.lua: t:backward() where several processes train: gradients of states are summed over all of them, and
-- those of a loop over batches are of the mean over the whole batch, as in one process.
local core = require "icl.core"
local part = require "icl.internal.part"
local methods = core.tensor_methods

local backward = methods.backward

function methods.backward(x, ...)
  local share = type(x) == "userdata" and part.of_process()
  return backward(share and x * share or x, ...)
end
