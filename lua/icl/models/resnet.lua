-- models/resnet.lua: ResNet (He et al. 2016a), with 1x1 convolutions in the shortcuts where the channels change.
--
-- The first stage has initial_channels channels, also with bottleneck blocks unless expand_first_stage is set; the
-- papers expand it, and so does a depth that is given for large images.
local Network = require "icl.models.network"
local blocks = require "icl.models.blocks"

local ResNet = Network.family("resnet", "ResNet (He et al. 2016a)", { "cifar", "imagenet" })
ResNet.options
  : value("depth", nil, "layers; cifar: 6n + 2, or 9n + 2 with bottleneck blocks (default 110); imagenet: 18, 34, 50, "
      .. "101 or 152, the network of the paper", blocks.depths)
  : value("n_blocks", nil, "blocks of each stage, where no depth is given (default 2,2,2,2)", blocks.counts)
  : choice("block_type", nil, blocks.types, "two 3x3 convolutions (default), or 1x1, 3x3, 1x1")
  : value("initial_channels", nil, "channels of the first stage (default 16; with a depth of the paper 64)",
      blocks.widths)
  : flag("expand_first_stage", nil, "4 times as many there too, as in the papers",
      { only = Network.only_bottleneck(ResNet) })

ResNet.forms = {
  cifar = { depth = 110, block_type = "basic", initial_channels = 16, expand_first_stage = false },
  imagenet = { n_blocks = { 2, 2, 2, 2 }, block_type = "basic", initial_channels = 16, expand_first_stage = false },
}
ResNet.papers = blocks.residual_papers { 18, 34, 50, 101, 152 }

-- icl.models.resnet(options): icl.models.resnet.options shows them; and input = { height, width,
-- channels }, classes.
function ResNet:init(...)
  local o = self:read(...)
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

-- What torchvision calls a state, for files.
function ResNet:torchvision_name(name)
  return self.settings.type == "imagenet" and blocks.torchvision_name(name) or nil
end

return ResNet
