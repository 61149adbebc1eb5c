-- nn/drop_path.lua: stochastic depth (Huang et al. 2016): in training x is 0 for a whole image with probability p, and
-- divided by 1 - p for the others; x (n, ...) -> the same shape. It stands at the end of a residual branch:
--
--   function Block:forward(x) return x + self.drop_path(self.branch(x)) end
local check_input = require "icl.nn.input"
local DropPath = require "icl.nn.module".class("drop_path", require "icl.nn.dropout")

-- nn.drop_path(p): 0 <= p < 1.
function DropPath:forward(x)
  check_input(self, x)
  if self:is_idle() then return x end
  local shape = x:shape()
  for axis = 2, #shape do shape[axis] = 1 end
  return self:drop(x, shape)
end

return DropPath
