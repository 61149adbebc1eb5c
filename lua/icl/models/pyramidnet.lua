-- models/pyramidnet.lua: PyramidNet (Han et al. 2017): the channels grow by the same amount from block to block, in
-- all by `alpha`. Shortcuts have no weights: the mean over 2x2 pixels where the size halves, and zeros for the
-- channels that are new.
local nn = require "icl.nn"
local core = require "icl.core"
local fail = require "icl.internal.fail"
local numbers = require "icl.internal.numbers"
local Network = require "icl.models.network"
local blocks = require "icl.models.blocks"

local PyramidNet = Network.family("pyramidnet", "PyramidNet (Han et al. 2017)", { "cifar", "imagenet" })
PyramidNet.options
  : value("depth", nil, "layers; cifar: 6n + 2, or 9n + 2 with bottleneck blocks (default 272); imagenet: 200, the "
      .. "network of the paper", blocks.depths)
  : value("n_blocks", nil, "blocks of each stage, where no depth is given (default 3,24,36,3)", blocks.counts)
  : choice("block_type", nil, blocks.types, "two 3x3 convolutions, or 1x1, 3x3, 1x1 (default)")
  : value("initial_channels", nil, "channels of the stem (default 16; with the depth of the paper 64)", blocks.widths)
  : value("alpha", nil, "how many channels are added in all, before those of bottleneck blocks are taken 4 times "
      .. "(default 200; with the depth of the paper 300)", { type = "float", min = 0, max = 1e5 })

PyramidNet.forms = {
  cifar = { depth = 272, block_type = "bottleneck", initial_channels = 16, alpha = 200.0 },
  imagenet = { n_blocks = { 3, 24, 36, 3 }, block_type = "bottleneck", initial_channels = 16, alpha = 200.0 },
}
PyramidNet.papers = {
  [200] = { n_blocks = { 3, 24, 36, 3 }, block_type = "bottleneck", initial_channels = 64, alpha = 300.0 },
}

-- x (n, h, w, c) -> (n, h / stride, w / stride, output), the new channels 0.
local Shortcut = nn.layer "pad_shortcut"

function Shortcut:init(branch)
  local more = branch.output - branch.input
  self.text = ("%d -> %d"):format(branch.input, branch.output)
  self.pool = branch.stride > 1 and nn.avg_pool2d(branch.stride) or nil
  self.padding = more > 0 and { low = { 0, 0, 0, 0 }, high = { 0, 0, 0, more } } or nil
end

function Shortcut:forward(x)
  if self.pool then x = self.pool(x) end
  return self.padding and core.ops.pad(x, self.padding) or x
end

-- Output channels of each block of the network.
local function channel_list(o, counts)
  local total, list, channels = 0, {}, o.initial_channels + 0.0
  for _, count in ipairs(counts) do total = total + count end
  for i = 1, total do
    channels = channels + o.alpha / total
    list[i] = blocks.expansion[o.block_type] * numbers.round(channels)
  end
  return list
end

-- Where a stage halves the size, shortcut and branch agree only on even sizes.
local function check_size(self, o, halvings)
  local height, width = self:stem_size(o)
  if height % (1 << halvings) ~= 0 or width % (1 << halvings) ~= 0 then
    local multiple = (o.type == "imagenet" and 4 or 1) << halvings
    fail("pyramidnet: images of %d x %d have an odd size in this {type} before a stage that halves it; sizes that are "
      .. "multiples of %d are possible", o.input[1], o.input[2], multiple)
  end
end

-- icl.models.pyramidnet(options): icl.models.pyramidnet.options shows them; and input = { height, width,
-- channels }, classes.
function PyramidNet:init(...)
  local o = self:read(...)
  local counts = self:stage_blocks(o, blocks.depth_unit[o.block_type], 2)
  check_size(self, o, #counts - 1)
  local list, number = channel_list(o, counts), 0
  self:build(o, {
    channels = o.initial_channels, stem_norm = "bn1", last_norm = "bn2", last_relu = true, blocks = counts,
    block = function(input, _, _, stride)
      number = number + 1
      local branch = blocks[o.block_type](input, list[number], stride)
      return blocks.preact(branch, o.init_mode, {
        remove_first_relu = true, add_last_bn = true, shortcut = Shortcut(branch),
      }), branch.output
    end,
  })
end

return PyramidNet
