-- nn/max_pool2d.lua: the largest over windows; (n, h, w, c) -> (n, h', w', c), sizes rounded down.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local Pool = require "icl.nn.module".class "max_pool2d"

-- nn.max_pool2d(kernel [, { stride = kernel, padding = 0 }]): each a number or { height, width }.
function Pool:init(kernel, options)
  options = arguments.options("nn.max_pool2d", options, { stride = kernel, padding = 0 })
  self.attributes = { kernel = kernel, stride = options.stride, padding = options.padding }
end

function Pool:forward(x)
  return core.ops.max_pool2d(x, self.attributes)
end

return Pool
