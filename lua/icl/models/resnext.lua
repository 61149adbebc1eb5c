-- models/resnext.lua: ResNeXt (Xie et al. 2017): bottleneck blocks whose 3x3 convolution is split into `cardinality`
-- groups. "8x64d" is a cardinality of 8 with base_channels 64.
local Network = require "icl.models.network"
local blocks = require "icl.models.blocks"

local ResNeXt = Network.family("resnext", "ResNeXt (Xie et al. 2017)", { "cifar", "imagenet" })
ResNeXt.options
  : value("depth", nil, "layers; cifar: 9n + 2 (default 29); imagenet: 50 or 101, the 32x4d network of the paper",
      blocks.depths)
  : value("n_blocks", nil, "blocks of each stage, where no depth is given (default 3,4,6,3)", blocks.counts)
  : value("initial_channels", 64, "channels of the stem; the stages have 4, 8, 16, ... times as many",
      { min = 1, max = 1 << 16 })
  : value("cardinality", nil, "groups of the 3x3 convolutions (default 8; with a depth of the paper 32)", blocks.widths)
  : value("base_channels", 4, "channels of a group in the first stage, doubled from stage to stage",
      { min = 1, max = 1 << 16 })

ResNeXt.forms = { cifar = { depth = 29, cardinality = 8 }, imagenet = { n_blocks = { 3, 4, 6, 3 }, cardinality = 8 } }
ResNeXt.papers = {
  [50] = { n_blocks = { 3, 4, 6, 3 }, cardinality = 32 }, [101] = { n_blocks = { 3, 4, 23, 3 }, cardinality = 32 },
}

-- icl.models.resnext(options): icl.models.resnext.options shows them; and input = { height, width,
-- channels }, classes.
function ResNeXt:init(...)
  local o = self:read(...)
  self:build(o, {
    channels = o.initial_channels, stem_norm = "bn", stem_relu = true, blocks = self:stage_blocks(o, 9, 2),
    block = function(input, stage, _, stride)
      local output = blocks.stage_channels(o.initial_channels, stage, "bottleneck", true)
      local middle = o.cardinality * o.base_channels << stage - 1
      return blocks.residual(blocks.bottleneck(input, output, stride, middle, o.cardinality), o.init_mode), output
    end,
  })
end

-- What torchvision calls a state, for files.
function ResNeXt:torchvision_name(name)
  return self.settings.type == "imagenet" and blocks.torchvision_name(name) or nil
end

return ResNeXt
