-- nn/dropout.lua: in training each element is 0 with probability p, and the others are divided by 1 - p (Srivastava
-- et al. 2014).
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local core = require "icl.core"
local numbers = require "icl.internal.numbers"
local part = require "icl.internal.part"
local random = require "icl.random"
local check_input = require "icl.nn.input"
local Dropout = require "icl.nn.module".class "dropout"

-- nn.dropout(p): 0 <= p < 1.
function Dropout:init(p, ...)
  arguments.no_more("nn." .. self.class_name, "p", ...)
  if type(p) ~= "number" or not (p >= 0 and p < 1) then
    fail("nn.%s: p is %s; it must be a number from 0 to below 1", self.class_name, arguments.described(p))
  end
  self.p, self.text = p, numbers.format("%g", p)
end

-- x with whole parts of it dropped: `shape`, of the rank of x, has size 1 along the axes that share a draw. For
-- dropout2d and drop_path.
function Dropout:drop(x, shape)
  local mask = core.ops.dropout(core.full(shape, 1), random.key(self.class_name), self.p, part.rows(shape))
  return (x * mask):cast(x:dtype())
end

-- Does nothing happen to x?
function Dropout:is_idle()
  return not self.training or self.p == 0
end

function Dropout:forward(x)
  check_input(self, x)
  if self:is_idle() then return x end
  return core.ops.dropout(x, random.key "dropout", self.p, part.rows(x:shape()))
end

return Dropout
