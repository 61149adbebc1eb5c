-- nn/global_avg_pool.lua: the mean over height and width; (n, h, w, c) -> f32 (n, c).
local core = require "icl.core"
local check_input = require "icl.nn.input"
local GlobalAvgPool = require "icl.nn.module".class "global_avg_pool"

function GlobalAvgPool:forward(x)
  check_input(self, x)
  return core.ops.global_avg_pool(x)
end

return GlobalAvgPool
