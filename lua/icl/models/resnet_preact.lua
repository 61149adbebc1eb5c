-- models/resnet_preact.lua: pre-activation ResNet (He et al. 2016b), with the variations of its residual unit that
-- Han et al. 2017 and others studied: first relu removed, batch norm at the end of the branch, pre-activation before
-- the shortcut.
--
-- The first stage has initial_channels channels, also with bottleneck blocks unless expand_first_stage is set.
local fail = require "icl.internal.fail"
local Network = require "icl.models.network"
local blocks = require "icl.models.blocks"

local ResNetPreact = Network.family("resnet_preact", "Pre-activation ResNet (He et al. 2016b)", { "cifar", "imagenet" })

-- Adds the options that this family and the one with squeeze-excitation share.
function ResNetPreact.add_options(family)
  return family.options
    : choice("block_type", nil, blocks.types, "two 3x3 convolutions (default), or 1x1, 3x3, 1x1")
    : value("initial_channels", nil, "channels of the first stage (default 16); 64 is what some call a width of 4",
        blocks.widths)
    : flag("expand_first_stage", nil, "4 times as many there too, as in the papers",
        { only = Network.only_bottleneck(family) })
    : flag("remove_first_relu", false, "no relu behind the first batch norm of a block that is not pre-activated")
    : flag("add_last_bn", false, "batch norm at the end of each branch")
    : value("preact_stage", { true, true, true, true },
        "for each stage: do the first batch norm and relu of its first block come before the shortcut too")
end

ResNetPreact.options
  : value("depth", nil, "layers; cifar: 6n + 2, or 9n + 2 with bottleneck blocks (default 110); imagenet: 18, 34, 50, "
      .. "101, 152 or 200, the network of the paper, with 64 channels", blocks.depths)
  : value("n_blocks", nil, "blocks of each stage, where no depth is given (default 2,2,2,2)", blocks.counts)
ResNetPreact.add_options(ResNetPreact)

ResNetPreact.forms = {
  cifar = { depth = 110, block_type = "basic", initial_channels = 16, expand_first_stage = false },
  imagenet = { n_blocks = { 2, 2, 2, 2 }, block_type = "basic", initial_channels = 16, expand_first_stage = false },
}
ResNetPreact.papers = blocks.residual_papers { 18, 34, 50, 101, 152, 200 }

-- icl.models.resnet_preact(options): icl.models.resnet_preact.options shows them; and input = { height, width,
-- channels }, classes.
function ResNetPreact:init(...)
  local o = self:read(...)
  blocks.check_channels(self.class_name, o.initial_channels, o.block_type)
  local counts = self:stage_blocks(o, blocks.depth_unit[o.block_type], 2)
  if #o.preact_stage < #counts then
    fail("%s: {preact_stage} has no entry for stage %d", self.class_name, #o.preact_stage + 1)
  end
  self:build(o, {
    channels = o.initial_channels, last_norm = "bn", last_relu = true, blocks = counts,
    block = function(input, stage, k, stride)
      local output = blocks.stage_channels(o.initial_channels, stage, o.block_type, o.expand_first_stage)
      return blocks.preact(blocks[o.block_type](input, output, stride), o.init_mode, {
        preact = k == 1 and o.preact_stage[stage], remove_first_relu = o.remove_first_relu,
        add_last_bn = o.add_last_bn, se_reduction = o.se_reduction,
      }), output
    end,
  })
end

return ResNetPreact
