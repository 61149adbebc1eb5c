-- models/resnet.lua: ResNet (He et al. 2016a), with 1x1 convolutions in the shortcuts where the channels change.
--
-- The first stage has initial_channels channels, also with bottleneck blocks unless expand_first_stage is set; the
-- papers expand it.
local Network = require "icl.models.network"
local blocks = require "icl.models.blocks"

local ResNet = Network.family("resnet", "ResNet (He et al. 2016a)", { "cifar", "imagenet" })
ResNet.options
  : value("depth", 110, "layers, 6n + 2, or 9n + 2 with bottleneck blocks", { min = 1, only = Network.only "cifar" })
  : value("n_blocks", { 2, 2, 2, 2 }, "blocks of each stage", { min = 1, only = Network.only "imagenet" })
  : choice("block_type", "basic", blocks.types, "two 3x3 convolutions, or 1x1, 3x3, 1x1")
  : value("initial_channels", 16, "channels of the first stage", { min = 1 })
  : flag("expand_first_stage", false, "4 times as many there too, as in the papers",
      { only = { block_type = "bottleneck" } })

-- icl.models.resnet(options): icl.models.resnet.options shows them; and input = { height, width,
-- channels }, classes.
function ResNet:init(given)
  local o = self:read(given)
  blocks.check_channels(self.class_name, o.initial_channels, o.block_type)
  self:build(o, {
    channels = o.initial_channels, stem_norm = "bn", stem_relu = true,
    blocks = self:stage_blocks(o, blocks.depth_unit[o.block_type], 2),
    block = function(input, stage, _, stride)
      local output = blocks.stage_channels(o.initial_channels, stage, o.block_type, o.expand_first_stage)
      return blocks.residual(blocks[o.block_type](input, output, stride), o.init_mode), output
    end,
  })
end

return ResNet
