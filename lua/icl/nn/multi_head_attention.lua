-- nn/multi_head_attention.lua: attention (Vaswani et al. 2017); x (n, positions, width) -> the same shape.
--
-- The products of queries and keys are those of t:bmm(): a step computes them for all images at once, and keeps heads x
-- positions x positions numbers for each.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local check_input = require "icl.nn.input"
local dropout = require "icl.nn.dropout"
local linear = require "icl.nn.linear"
local Attention = require "icl.nn.module".class "multi_head_attention"

-- nn.multi_head_attention(width, heads [, { bias = true, drop_rate = 0 }]): drop_rate is that of dropout of the
-- attention. Names in files are those of PyTorch's vision transformers: qkv and proj.
function Attention:init(width, heads, options, ...)
  local what = "nn.multi_head_attention"
  arguments.no_more(what, "a width, heads and a table of options", ...)
  options = arguments.options(what, options, { bias = true, drop_rate = 0 })
  width, self.heads = arguments.size(what .. ": width", width), arguments.size(what .. ": heads", heads)
  if width % heads ~= 0 then fail("%s: %d heads do not divide a width of %d", what, heads, width) end
  self.text = ("%d, %d heads"):format(width, heads)
  self.qkv = linear(width, 3 * width, { bias = options.bias, init = "uniform_fan_in" })
  self.proj = linear(width, width, { bias = options.bias, init = "uniform_fan_in" })
  self.dropout = dropout(options.drop_rate)
end

-- a:forward(x [, mask]): mask (positions, positions) or what broadcasts to (n, heads, positions, positions), bool: true
-- where a position, the last axis, is not looked at.
function Attention:forward(x, mask)
  check_input(self, x)
  local n, positions, width = table.unpack(x:shape())
  local size = width // self.heads
  local all = self.qkv(x):reshape(n, positions, 3, self.heads, size):permute(3, 1, 4, 2, 5)
  local query, key, value = all[1], all[2], all[3]
  local scores = (query / math.sqrt(size)):bmm(key:transpose())
  if mask then scores = scores:masked_fill(mask, -math.huge) end
  local mixed = self.dropout(scores:softmax():cast(x:dtype())):bmm(value)
  return self.proj(mixed:permute(1, 3, 2, 4):reshape(n, positions, width))
end

return Attention
