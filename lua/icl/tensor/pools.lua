-- tensor/pools.lua: pooling as methods of tensors, which take what layers of nn take.
local core = require "icl.core"
local window = require "icl.internal.window"
local methods, ops = core.tensor_methods, core.ops

-- t:max_pool2d(kernel [, { stride = kernel, padding = 0 }]): the largest over windows of images (n, h, w, c), each a
-- number or { height, width }; t:max_pool2d { kernel = 3, stride = 2 } is the same.
function methods.max_pool2d(x, ...)
  return ops.max_pool2d(x, window("max_pool2d", ...))
end

-- t:avg_pool2d(kernel [, { stride = kernel, padding = 0 }]): the mean over windows of images, padding counted;
-- t:avg_pool2d { kernel = 3, stride = 2 } is the same.
function methods.avg_pool2d(x, ...)
  return ops.avg_pool2d(x, window("avg_pool2d", ...))
end
