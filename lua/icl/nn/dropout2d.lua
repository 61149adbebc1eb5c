-- nn/dropout2d.lua: in training whole channels of an image are 0 with probability p, and the others are divided by
-- 1 - p (Tompson et al. 2015); x (n, h, w, c) -> the same shape.
local check_input = require "icl.nn.input"
local Dropout2d = require "icl.nn.module".class("dropout2d", require "icl.nn.dropout")

-- nn.dropout2d(p): 0 <= p < 1.
function Dropout2d:forward(x)
  check_input(self, x)
  if self:is_idle() then return x end
  local shape = x:shape()
  for axis = 2, #shape - 1 do shape[axis] = 1 end
  return self:drop(x, shape)
end

return Dropout2d
