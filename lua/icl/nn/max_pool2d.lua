-- nn/max_pool2d.lua: the largest over windows; (n, h, w, c) -> (n, h', w', c), sizes rounded down.
local core = require "icl.core"
local check_input = require "icl.nn.input"
local window = require "icl.internal.window"
local Pool = require "icl.nn.module".class "max_pool2d"

-- nn.max_pool2d(kernel [, { stride = kernel, padding = 0 }]): each a number or { height, width };
-- nn.max_pool2d { kernel = 3, stride = 2 } is the same.
function Pool:init(...)
  self.attributes = window("nn.max_pool2d", ...)
end

function Pool:forward(x)
  check_input(self, x)
  return core.ops.max_pool2d(x, self.attributes)
end

return Pool
