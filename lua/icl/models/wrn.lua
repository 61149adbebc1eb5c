-- models/wrn.lua: Wide ResNet (Zagoruyko and Komodakis 2016): pre-activation blocks with widening_factor times the
-- channels, and dropout between their convolutions. Where the channels change, the first batch norm and relu come
-- before the shortcut too.
local Network = require "icl.models.network"
local blocks = require "icl.models.blocks"

local WRN = Network.family("wrn", "Wide ResNet (Zagoruyko and Komodakis 2016)", { "cifar" })
WRN.options
  : value("depth", 28, "layers, 6n + 4", blocks.depths)
  : value("initial_channels", 16, "channels of the stem", blocks.widths)
  : value("widening_factor", 10, "how many times as many the first stage has", { min = 1, max = 1000 })
  : value("drop_rate", 0.0, "dropout in each block", { min = 0, below = 1 })

-- icl.models.wrn(options): icl.models.wrn.options shows them; and input = { height, width,
-- channels }, classes.
function WRN:init(...)
  local o = self:read(...)
  self:build(o, {
    channels = o.initial_channels, last_norm = "bn", last_relu = true, blocks = self:stage_blocks(o, 6, 4),
    block = function(input, stage, _, stride)
      local output = blocks.stage_channels(o.initial_channels * o.widening_factor, stage, "basic")
      return blocks.preact(blocks.basic(input, output, stride), o.init_mode, {
        preact = input ~= output, drop_rate = o.drop_rate,
      }), output
    end,
  })
end

return WRN
