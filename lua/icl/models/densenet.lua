-- models/densenet.lua: DenseNet (Huang et al. 2017): each block adds growth_rate channels to all that came before it.
-- With bottleneck blocks and a compression_rate below 1 it is DenseNet-BC. The stem has 2 growth_rate channels.
--
-- The form for large images has no relu behind the last batch norm, as in the code that published figures were made
-- with, unless last_relu is set; the paper has it, and so has a depth that is given for large images.
local nn = require "icl.nn"
local core = require "icl.core"
local fail = require "icl.internal.fail"
local Network = require "icl.models.network"
local blocks = require "icl.models.blocks"

local DenseNet = Network.family("densenet", "DenseNet (Huang et al. 2017)", { "cifar", "imagenet" })
DenseNet.options
  : value("depth", nil, "layers; cifar: 3n + 4, or 6n + 4 with bottleneck blocks (default 100); imagenet: 121, 161, "
      .. "169 or 201, the network of the paper", blocks.depths)
  : value("n_blocks", nil, "blocks of each stage, where no depth is given (default 6,12,24,16)", blocks.counts)
  : choice("block_type", nil, blocks.types, "a 3x3 convolution, or one of 1x1 before it (default)")
  : value("growth_rate", nil, "channels that a block adds (default 12; with a depth of the paper 32, or 48 with 161)",
      blocks.widths)
  : value("drop_rate", 0.0, "dropout behind each convolution but the first", { min = 0, below = 1 })
  : value("compression_rate", 0.5, "channels behind a transition, relative to those before", { min = 0, max = 1 })
  : flag("last_relu", nil, "relu behind the last batch norm; by default only in the form for small images")

DenseNet.forms = {
  cifar = { depth = 100, block_type = "bottleneck", growth_rate = 12, last_relu = true },
  imagenet = { n_blocks = { 6, 12, 24, 16 }, block_type = "bottleneck", growth_rate = 12, last_relu = false },
}

local function paper(growth_rate, n_blocks)
  return { n_blocks = n_blocks, growth_rate = growth_rate, block_type = "bottleneck", last_relu = true }
end

DenseNet.papers = {
  [121] = paper(32, { 6, 12, 24, 16 }), [161] = paper(48, { 6, 12, 36, 24 }),
  [169] = paper(32, { 6, 12, 32, 32 }), [201] = paper(32, { 6, 12, 48, 32 }),
}

local depth_unit = { basic = 3, bottleneck = 6 }

local function dropout(rate)
  return rate > 0 and nn.dropout(rate) or nil
end

-- x (n, h, w, input) -> (n, h, w, input + growth): x and what a 3x3 convolution makes of it.
local Basic = nn.layer "dense_block"

function Basic:init(input, o)
  self.bn = nn.batch_norm(input)
  self.conv = nn.conv2d(input, o.growth_rate, 3, { init = o.init_mode })
  self.dropout = dropout(o.drop_rate)
end

function Basic:forward(x)
  local y = self.conv(self.bn(x):relu())
  if self.dropout then y = self.dropout(y) end
  return core.ops.concat(x, y, { dim = 4 })
end

-- The same with a 1x1 convolution to 4 growth channels before it.
local Bottleneck = nn.layer "dense_bottleneck_block"

function Bottleneck:init(input, o)
  local middle = 4 * o.growth_rate
  self.bn1 = nn.batch_norm(input)
  self.conv1 = nn.conv2d(input, middle, 1, { init = o.init_mode })
  self.bn2 = nn.batch_norm(middle)
  self.conv2 = nn.conv2d(middle, o.growth_rate, 3, { init = o.init_mode })
  self.dropout1 = dropout(o.drop_rate)
  self.dropout2 = dropout(o.drop_rate)
end

function Bottleneck:forward(x)
  local y = self.conv1(self.bn1(x):relu())
  if self.dropout1 then y = self.dropout1(y) end
  y = self.conv2(self.bn2(y):relu())
  if self.dropout2 then y = self.dropout2(y) end
  return core.ops.concat(x, y, { dim = 4 })
end

-- x (n, h, w, input) -> (n, h // 2, w // 2, output)
local Transition = nn.layer "dense_transition"

function Transition:init(input, output, o)
  self.bn = nn.batch_norm(input)
  self.conv = nn.conv2d(input, output, 1, { init = o.init_mode })
  self.dropout = dropout(o.drop_rate)
  self.pool = nn.avg_pool2d(2)
end

function Transition:forward(x)
  local y = self.conv(self.bn(x):relu())
  if self.dropout then y = self.dropout(y) end
  return self.pool(y)
end

local classes = { basic = Basic, bottleneck = Bottleneck }

-- The transitions halve the size; something must be left.
local function check_size(self, o, halvings)
  local height, width = self:stem_size(o)
  if math.min(height, width) >> halvings == 0 then
    fail("densenet: images of %d x %d are too small for this {type}: they are %d x %d behind the stem, and %d "
      .. "transitions halve that",
      o.input[1], o.input[2], height, width, halvings)
  end
end

-- icl.models.densenet(options): icl.models.densenet.options shows them; and input = { height, width,
-- channels }, classes.
function DenseNet:init(...)
  local o = self:read(...)
  local counts = self:stage_blocks(o, depth_unit[o.block_type], 4)
  check_size(self, o, #counts - 1)
  self:build(o, {
    channels = 2 * o.growth_rate, last_norm = "bn", last_relu = o.last_relu, blocks = counts,
    block = function(input) return classes[o.block_type](input, o), input + o.growth_rate end,
    transition = function(input)
      local output = math.floor(input * o.compression_rate)
      if output == 0 then
        fail("densenet: a {compression_rate} of %g leaves nothing of %d channels", o.compression_rate, input)
      end
      return Transition(input, output, o), output
    end,
  })
end

-- What torchvision calls the parts of a network with bottleneck blocks.
local torchvision_parts = {
  { "^conv%.", "features.conv0." }, { "^bn%.", "features.norm0." }, { "^bn_last%.", "features.norm5." },
  { "^fc%.", "classifier." }, { "^stage(%d+)%.transition%.bn%.", "features.transition%1.norm." },
  { "^stage(%d+)%.transition%.", "features.transition%1." },
  { "^stage(%d+)%.block(%d+)%.bn(%d)%.", "features.denseblock%1.denselayer%2.norm%3." },
  { "^stage(%d+)%.block(%d+)%.", "features.denseblock%1.denselayer%2." },
}

-- What torchvision calls a state, for files.
function DenseNet:torchvision_name(name)
  local o = self.settings
  if o.type ~= "imagenet" or o.block_type ~= "bottleneck" then return nil end
  for _, part in ipairs(torchvision_parts) do
    local foreign, count = name:gsub(part[1], part[2])
    if count > 0 then return foreign end
  end
end

-- Files of old versions have norm.1 for norm1.
function DenseNet:torchvision_alias(name)
  return (name:gsub("%.(%l+)%.([12])%.", ".%1%2."))
end

return DenseNet
