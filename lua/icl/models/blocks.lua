-- models/blocks.lua: the residual blocks that several families share. The branch of a block has two 3x3 convolutions
-- ("basic") or a 3x3 one between two of 1x1 ("bottleneck"); batch norm and relu come behind each convolution (He et
-- al. 2016a) or before it (He et al. 2016b).
local nn = require "icl.nn"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local Network = require "icl.models.network"

local blocks = {}

blocks.types = { "basic", "bottleneck" }

-- The limits of options that say how deep and how wide a network is.
blocks.depths = { type = "integer", min = 1, max = 10000 }
blocks.widths = { type = "integer", min = 1, max = 1 << 16 }
blocks.counts = { type = "list", min = 1, only = Network.only "imagenet" }

-- The residual networks that papers have for large images, by depth: He et al. 2016a, and 200 layers in 2016b.
function blocks.residual_papers(depths)
  local all = {
    [18] = { block_type = "basic", n_blocks = { 2, 2, 2, 2 } },
    [34] = { block_type = "basic", n_blocks = { 3, 4, 6, 3 } },
    [50] = { block_type = "bottleneck", n_blocks = { 3, 4, 6, 3 } },
    [101] = { block_type = "bottleneck", n_blocks = { 3, 4, 23, 3 } },
    [152] = { block_type = "bottleneck", n_blocks = { 3, 8, 36, 3 } },
    [200] = { block_type = "bottleneck", n_blocks = { 3, 24, 36, 3 } },
  }
  local papers = {}
  for _, depth in ipairs(depths) do
    local paper = all[depth]
    paper.initial_channels, paper.expand_first_stage = 64, true
    papers[depth] = paper
  end
  return papers
end

-- How many times as many channels leave a block as its inner convolution has.
blocks.expansion = { basic = 1, bottleneck = 4 }

-- By how many layers one more block in each of three stages deepens a network.
blocks.depth_unit = { basic = 6, bottleneck = 9 }

-- One convolution of a branch.
local function conv_spec(input, output, kernel, stride, groups)
  return { input = input, output = output, kernel = kernel, stride = stride, groups = groups }
end

-- Branches: what goes in and out, the stride, and the convolutions.
function blocks.basic(input, output, stride)
  return { input = input, output = output, stride = stride,
           convolutions = { conv_spec(input, output, 3, stride), conv_spec(output, output, 3, 1) } }
end

-- blocks.bottleneck(input, output, stride [, middle = output // 4 [, groups = 1]])
function blocks.bottleneck(input, output, stride, middle, groups)
  middle = middle or output // 4
  return { input = input, output = output, stride = stride, convolutions = {
    conv_spec(input, middle, 1, 1), conv_spec(middle, middle, 3, stride, groups), conv_spec(middle, output, 1, 1),
  } }
end

-- Channels of a stage: the first has `initial`, each later one twice as many as the one before, and that 4 times with
-- bottleneck blocks, in the first stage only if it is `expanded`.
function blocks.stage_channels(initial, stage, block_type, expanded)
  local factor = (stage > 1 or expanded) and blocks.expansion[block_type] or 1
  return (initial << stage - 1) * factor
end

-- An error unless bottleneck blocks have an inner channel.
function blocks.check_channels(name, initial, block_type)
  local least = blocks.expansion[block_type]
  if initial < least then
    fail("%s: {initial_channels} is %d; with %s blocks it must be at least %d", name, initial, block_type, least)
  end
end

local function convolution(spec, init)
  return nn.conv2d(spec.input, spec.output, spec.kernel, { stride = spec.stride, groups = spec.groups, init = init })
end

-- A 1x1 convolution for the shortcut, with batch norm if `norm`; nil where the channels stay.
local function projection(branch, norm, init)
  if branch.input == branch.output then return nil end
  local modules = { { "conv", convolution(conv_spec(branch.input, branch.output, 1, branch.stride), init) } }
  if norm then modules[2] = { "bn", nn.batch_norm(branch.output) } end
  return nn.sequential(modules)
end

-- blocks.residual(branch, init): batch norm and relu behind each convolution; the last relu is behind the sum with the
-- shortcut.
local Residual = nn.layer "residual_block"
blocks.residual = Residual

function Residual:init(branch, init)
  self.convs, self.norms = {}, {}
  for i, spec in ipairs(branch.convolutions) do
    local conv, norm = convolution(spec, init), nn.batch_norm(spec.output)
    self["conv" .. i] = conv
    self["bn" .. i] = norm
    self.convs[i], self.norms[i] = conv, norm
  end
  self.shortcut = projection(branch, true, init)
end

function Residual:forward(x)
  local y = x
  for i, conv in ipairs(self.convs) do
    if i > 1 then y = y:relu() end
    y = self.norms[i](conv(y))
  end
  return (y + (self.shortcut and self.shortcut(x) or x)):relu()
end

-- blocks.preact(branch, init [, options]): batch norm and relu before each convolution, no relu behind the sum.
--   preact: the first batch norm and relu come before the shortcut too, not only before the branch
--   remove_first_relu: no relu behind the first batch norm, unless `preact`
--   add_last_bn: batch norm at the end of the branch
--   drop_rate: dropout behind the first convolution
--   se_reduction: squeeze-excitation at the end of the branch
--   shortcut: a module, instead of a 1x1 convolution where the channels change
local Preact = nn.layer "preact_block"
blocks.preact = Preact

local names = { "preact", "remove_first_relu", "add_last_bn", "drop_rate", "se_reduction", "shortcut" }

function Preact:init(branch, init, options)
  options = arguments.options("blocks.preact", options, {}, names)
  self.preact, self.first_relu = options.preact, options.preact or not options.remove_first_relu
  self.convs, self.norms = {}, {}
  for i, spec in ipairs(branch.convolutions) do
    local norm, conv = nn.batch_norm(spec.input), convolution(spec, init)
    self["bn" .. i] = norm
    self["conv" .. i] = conv
    self.norms[i], self.convs[i] = norm, conv
  end
  if options.add_last_bn then
    self.last_norm = "bn" .. #branch.convolutions + 1
    self[self.last_norm] = nn.batch_norm(branch.output)
  end
  if (options.drop_rate or 0) > 0 then self.dropout = nn.dropout(options.drop_rate) end
  if options.se_reduction then
    self.se = nn.squeeze_excite(branch.output, { reduction = options.se_reduction, init = init })
  end
  self.shortcut = options.shortcut or projection(branch, false, init)
end

function Preact:forward(x)
  local h = self.norms[1](x)
  if self.first_relu then h = h:relu() end
  local shortcut = self.preact and h or x
  local y = self.convs[1](h)
  if self.dropout then y = self.dropout(y) end
  for i = 2, #self.convs do y = self.convs[i](self.norms[i](y):relu()) end
  if self.last_norm then y = self[self.last_norm](y) end
  if self.se then y = self.se(y) end
  return y + (self.shortcut and self.shortcut(shortcut) or shortcut)
end

-- blocks.torchvision_name(name) -> what torchvision calls a state of a residual network for large images.
function blocks.torchvision_name(name)
  local stage, block, rest = name:match "^stage(%d+)%.block(%d+)%.(.*)$"
  if not stage then return (name:gsub("^conv%.", "conv1."):gsub("^bn%.", "bn1.")) end
  rest = rest:gsub("^shortcut%.conv%.", "downsample.0."):gsub("^shortcut%.bn%.", "downsample.1.")
  return ("layer%s.%d.%s"):format(stage, block - 1, rest)
end

return blocks
