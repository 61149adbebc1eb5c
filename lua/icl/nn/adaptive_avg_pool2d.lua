-- nn/adaptive_avg_pool2d.lua: means over windows that are chosen so that the result has a given size; (n, h, w, c) ->
-- (n, height, width, c).
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local check_input = require "icl.nn.input"
local resample = require "icl.nn.resample"
local Pool = require "icl.nn.module".class "adaptive_avg_pool2d"

-- nn.adaptive_avg_pool2d(size): a number or { height, width }. Where the sizes do not divide those of x the windows
-- overlap, as PyTorch's do.
function Pool:init(size, ...)
  arguments.no_more("nn.adaptive_avg_pool2d", "a size", ...)
  self.size = arguments.pair("nn.adaptive_avg_pool2d: size", size, 1)
  self.text = ("%dx%d"):format(table.unpack(self.size))
end

function Pool:forward(x)
  check_input(self, x, "(n, h, w, c)", 4)
  local h, w = x:size(2), x:size(3)
  local height, width = table.unpack(self.size)
  if h % height == 0 and w % width == 0 then
    local kernel = { h // height, w // width }
    return core.ops.avg_pool2d(x, { kernel = kernel, stride = kernel })
  end
  return resample.apply(x, resample.means(h, height), resample.means(w, width))
end

return Pool
