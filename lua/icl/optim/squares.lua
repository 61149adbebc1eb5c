-- optim/squares.lua: squares(tensors) -> the sum of the squares of all elements of a list of tensors, one element; nil
-- for an empty list. Those of tensors of 16 bits are taken in f32, which holds them.
local wide = require "icl.internal.dtypes".wide

return function(tensors)
  local total
  for _, tensor in ipairs(tensors) do
    local x = wide(tensor)
    local squares = (x * x):sum()
    total = total and total + squares or squares
  end
  return total
end
