-- nn/max_pool2d.lua: the largest over windows; (n, h, w, c) -> (n, h', w', c), sizes rounded down.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local check_input = require "icl.nn.input"
local Pool = require "icl.nn.module".class "max_pool2d"

-- nn.max_pool2d(kernel [, { stride = kernel, padding = 0 }]): each a number or { height, width }.
function Pool:init(kernel, options, ...)
  arguments.no_more("nn.max_pool2d", "a kernel and a table of options", ...)
  kernel = arguments.pair("nn.max_pool2d: kernel", kernel, 1)
  options = arguments.options("nn.max_pool2d", options, { stride = kernel, padding = 0 })
  self.attributes = { kernel = kernel, stride = arguments.pair("nn.max_pool2d: stride", options.stride, 1),
                      padding = arguments.pair("nn.max_pool2d: padding", options.padding, 0) }
end

function Pool:forward(x)
  check_input(self, x)
  return core.ops.max_pool2d(x, self.attributes)
end

return Pool
