-- tensor/pools.lua: pooling as methods of tensors, which take what layers of nn take.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local methods, ops = core.tensor_methods, core.ops

-- A pool by its kernel and a table, or by all in one table. Windows lie side by side unless a stride is given.
local function pool(name, x, kernel, options, ...)
  arguments.no_more(name, "a kernel and a table of options", ...)
  if type(kernel) == "table" and kernel[1] == nil then
    arguments.no_more(name, "either a kernel and a table of options or all in one table", options)
    options = arguments.options(name, kernel, {}, { "kernel", "stride", "padding" })
    kernel, options.kernel = options.kernel, nil
  end
  kernel = arguments.pair(name .. ": kernel", kernel, 1)
  options = arguments.options(name, options, { stride = kernel, padding = 0 })
  return ops[name](x, { kernel = kernel, stride = options.stride, padding = options.padding })
end

-- t:max_pool2d(kernel [, { stride = kernel, padding = 0 }]): the largest over windows of images (n, h, w, c), each a
-- number or { height, width }; t:max_pool2d { kernel = 3, stride = 2 } is the same.
function methods.max_pool2d(x, kernel, options, ...)
  return pool("max_pool2d", x, kernel, options, ...)
end

-- t:avg_pool2d(kernel [, { stride = kernel, padding = 0 }]): the mean over windows of images, padding counted;
-- t:avg_pool2d { kernel = 3, stride = 2 } is the same.
function methods.avg_pool2d(x, kernel, options, ...)
  return pool("avg_pool2d", x, kernel, options, ...)
end
