-- tensor: methods of tensors and states that are made of ops. Every op is a method of its first input as well:
-- x:relu(), x:conv2d(w, { stride = 2 }). States read their current version.
local core = require "icl.core"

for name, op in pairs(core.ops) do
  if rawget(core.tensor_methods, name) == nil then core.tensor_methods[name] = op end
end

require "icl.tensor.reductions"
require "icl.tensor.shapes"
require "icl.tensor.parts"
require "icl.tensor.order"
require "icl.tensor.pools"
require "icl.tensor.functions"

return core.tensor_methods
