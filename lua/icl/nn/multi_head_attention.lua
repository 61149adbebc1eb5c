-- nn/multi_head_attention.lua: attention (Vaswani et al. 2017); x (n, positions, width) -> the same shape.
--
-- A step computes it for all images at once, and keeps heads x positions x positions numbers for each.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local check_input = require "icl.nn.input"
local dropout = require "icl.nn.dropout"
local linear = require "icl.nn.linear"
local products = require "icl.tensor.products"
local Attention = require "icl.nn.module".class "multi_head_attention"

-- nn.multi_head_attention(width, heads [, { bias = true, drop_rate = 0 }]): drop_rate is that of dropout of the
-- attention. Names in files are those of timm's vision transformers: qkv and proj.
function Attention:init(width, heads, options, ...)
  local what = "nn.multi_head_attention"
  arguments.no_more(what, "a width, heads and a table of options", ...)
  options = arguments.options(what, options, { bias = true, drop_rate = 0 })
  self.width, self.heads = arguments.size(what .. ": width", width), arguments.size(what .. ": heads", heads)
  if width % heads ~= 0 then fail("%s: %d heads do not divide a width of %d", what, heads, width) end
  self.text = ("%d, %d heads"):format(width, heads)
  self.qkv = linear(width, 3 * width, { bias = options.bias, init = "uniform_fan_in" })
  self.proj = linear(width, width, { bias = options.bias, init = "uniform_fan_in" })
  self.dropout = dropout(options.drop_rate)
end

-- An error where a mask is none; a float one may be meant to be added, as PyTorch takes it.
local function check_mask(self, mask, n, positions)
  arguments.tensor("multi_head_attention: its mask", mask)
  local shape = mask:rank() == 2 and { 1, 1, mask:size(1), mask:size(2) } or mask:shape()
  local fits = #shape == 4 and (shape[1] == 1 or shape[1] == n) and (shape[2] == 1 or shape[2] == self.heads)
    and shape[3] == positions and shape[4] == positions
  if mask:dtype() ~= "bool" or not fits then
    fail("multi_head_attention: its mask is %s (%s); it must be bool (%d, %d) or (%d or 1, %d or 1, %d, %d)",
      mask:dtype(), table.concat(mask:shape(), ", "), positions, positions, n, self.heads, positions, positions)
  end
end

-- A mask as it meets scores (positions, n, heads, positions).
local function turned_mask(mask)
  if mask:rank() == 2 then return mask:reshape(mask:size(1), 1, 1, mask:size(2)) end
  return mask:permute(3, 1, 2, 4)
end

-- a:forward(x [, mask]): mask (positions, positions) or (n or 1, heads or 1, positions, positions), bool: true where a
-- position, the last axis, is not looked at.
function Attention:forward(x, mask)
  local width = self.width
  check_input(self, x, ("(n, positions, %d)"):format(width), 3, width)
  local n, positions = x:size(1), x:size(2)
  if mask ~= nil then check_mask(self, mask, n, positions) end
  local size, count = width // self.heads, n * self.heads
  local all = self.qkv(x):reshape(n, positions, 3, self.heads, size)
  local query = all:select(3, 1):permute(2, 1, 3, 4):reshape(positions, count, size)
  local key = all:select(3, 2):permute(4, 1, 3, 2):reshape(size, count, positions)
  local value = all:select(3, 3):permute(2, 1, 3, 4):reshape(positions, count, size)
  local scores = products(query / math.sqrt(size), key)
  if mask then
    scores = scores:reshape(positions, n, self.heads, positions):masked_fill(turned_mask(mask), -math.huge)
    scores = scores:reshape(positions, count, positions)
  end
  local mixed = products(self.dropout(scores:softmax()), value)
  return self.proj(mixed:reshape(positions, n, width):transpose(1, 2))
end

return Attention
