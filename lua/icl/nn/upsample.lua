-- nn/upsample.lua: images of another size, by repeating pixels or by bilinear interpolation; (n, h, w, c) ->
-- (n, h', w', c).
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local check_input = require "icl.nn.input"
local resample = require "icl.nn.resample"
local Upsample = require "icl.nn.module".class "upsample"

-- nn.upsample { scale =, size =, mode = "nearest", align_corners = false }: scale, or size = { height, width } of the
-- result, one of both; mode: also "bilinear". Results have PyTorch's values; but places of "nearest" are exact, while
-- PyTorch multiplies by a factor in f32, so that for some sizes, such as 39 -> 33, it takes another pixel now and then.
function Upsample:init(options, ...)
  arguments.no_more("nn.upsample", "a table of options", ...)
  options = arguments.options("nn.upsample", options, { mode = "nearest", align_corners = false }, { "scale", "size" })
  if (options.scale == nil) == (options.size == nil) then
    fail "nn.upsample: it takes scale = or size =, one of both"
  end
  self.mode = arguments.choice("nn.upsample: mode", options.mode, { "nearest", "bilinear" })
  self.align_corners = arguments.boolean("nn.upsample: align_corners", options.align_corners)
  if self.align_corners and self.mode == "nearest" then
    fail 'nn.upsample: align_corners means nothing without mode = "bilinear"'
  end
  if options.size then
    self.size = arguments.pair("nn.upsample: size", options.size, 1)
  else
    self.scale = arguments.pair("nn.upsample: scale", options.scale, 1)
  end
end

function Upsample:forward(x)
  check_input(self, x, "(n, h, w, c)", 4)
  local h, w = x:size(2), x:size(3)
  local height, width = table.unpack(self.size or { h * self.scale[1], w * self.scale[2] })
  if self.mode == "bilinear" then
    return resample.apply(x, resample.linear(h, height, self.align_corners),
      resample.linear(w, width, self.align_corners))
  elseif height % h == 0 and width % w == 0 then
    return x:repeat_interleave(height // h, 2):repeat_interleave(width // w, 3)
  end
  return resample.apply(x, resample.nearest(h, height), resample.nearest(w, width))
end

return Upsample
