-- nn/avg_pool2d.lua: the mean over windows, padding counted; (n, h, w, c) -> (n, h', w', c), sizes rounded down.
local core = require "icl.core"
local check_input = require "icl.nn.input"
local window = require "icl.internal.window"
local Pool = require "icl.nn.module".class "avg_pool2d"

-- nn.avg_pool2d(kernel [, { stride = kernel, padding = 0 }]): each a number or { height, width };
-- nn.avg_pool2d { kernel = 3, stride = 2 } is the same.
function Pool:init(...)
  self.attributes = window("nn.avg_pool2d", ...)
end

function Pool:forward(x)
  check_input(self, x)
  return core.ops.avg_pool2d(x, self.attributes)
end

return Pool
