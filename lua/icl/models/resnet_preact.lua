-- models/resnet_preact.lua: pre-activation ResNet (He et al. 2016b), with the variations of its residual unit that
-- Han et al. 2017 and others studied: first relu removed, batch norm at the end of the branch, pre-activation before
-- the shortcut.
--
-- For small images the depth gives the number of blocks in each of three stages; with type = "imagenet" there are
-- four stages of n_blocks and a stem that divides the size by four. The first stage has initial_channels channels
-- also with bottleneck blocks; later stages have 2, 4, 8 times as many, and 4 times that with bottleneck blocks.
local nn = require "icl.nn"
local fail = require "icl.fail"
local arguments = require "icl.arguments"

local defaults = {
  type = "cifar", depth = 110, n_blocks = { 2, 2, 2, 2 }, block_type = "basic", initial_channels = 16,
  remove_first_relu = false, add_last_bn = false, preact_stage = { true, true, true, true },
  init_mode = "kaiming_fan_out", input = { 32, 32, 3 }, classes = 10,
}

local expansion = { basic = 1, bottleneck = 4 }

local Block = nn.layer "preact_block"

-- options: those of the model, with `preact`: relu(bn1(x)) also feeds the shortcut.
function Block:init(input, output, stride, options, preact)
  local init = { init = options.init_mode }
  local strided = { stride = stride, init = options.init_mode }
  self.preact, self.first_relu = preact, preact or not options.remove_first_relu
  self.bottleneck = options.block_type == "bottleneck"
  local norms
  self.bn1 = nn.batch_norm(input)
  if self.bottleneck then
    local middle = output // 4
    self.conv1, self.bn2 = nn.conv2d(input, middle, 1, init), nn.batch_norm(middle)
    self.conv2, self.bn3 = nn.conv2d(middle, middle, 3, strided), nn.batch_norm(middle)
    self.conv3, norms = nn.conv2d(middle, output, 1, init), 3
  else
    self.conv1, self.bn2 = nn.conv2d(input, output, 3, strided), nn.batch_norm(output)
    self.conv2, norms = nn.conv2d(output, output, 3, init), 2
  end
  if options.add_last_bn then
    self.last_bn = "bn" .. norms + 1
    self[self.last_bn] = nn.batch_norm(output)
  end
  if input ~= output then
    self.shortcut = nn.sequential { { "conv", nn.conv2d(input, output, 1, strided) } }
  end
end

function Block:forward(x)
  local h = self.bn1(x)
  if self.first_relu then h = h:relu() end
  local shortcut = self.preact and h or x
  local y = self.conv2(self.bn2(self.conv1(h)):relu())
  if self.bottleneck then y = self.conv3(self.bn3(y):relu()) end
  if self.last_bn then y = self[self.last_bn](y) end
  return y + (self.shortcut and self.shortcut(shortcut) or shortcut)
end

-- How many blocks each stage has.
local function stage_blocks(options)
  if options.type == "imagenet" then
    if #options.n_blocks ~= 4 then
      fail("resnet_preact: n_blocks has %d entries; imagenet has 4 stages", #options.n_blocks)
    end
    for _, blocks in ipairs(options.n_blocks) do arguments.integer("resnet_preact: an entry of n_blocks", blocks, 1) end
    return options.n_blocks
  end
  local unit = options.block_type == "basic" and 6 or 9
  local depth = arguments.integer("resnet_preact: depth", options.depth, 1)
  if depth < unit + 2 or (depth - 2) % unit ~= 0 then
    local below = math.max((depth - 2) // unit, 1) * unit + 2
    fail("resnet_preact: depth %d is impossible with %s blocks; it must be %dn + 2, for example %d or %d", depth,
      options.block_type, unit, below, below + unit)
  end
  local blocks = (depth - 2) // unit
  return { blocks, blocks, blocks }
end

local function check(options)
  arguments.choice("resnet_preact: type", options.type, { "cifar", "imagenet" })
  arguments.choice("resnet_preact: block_type", options.block_type, { "basic", "bottleneck" })
  arguments.choice("resnet_preact: init_mode", options.init_mode, { "kaiming_fan_out", "kaiming_fan_in" })
  arguments.integer("resnet_preact: initial_channels", options.initial_channels, expansion[options.block_type])
  arguments.integer("resnet_preact: classes", options.classes, 1)
  if type(options.input) ~= "table" or #options.input ~= 3 then
    fail "resnet_preact: input must be { height, width, channels }"
  end
end

local ResNetPreact = nn.layer "resnet_preact"

local function add_stage(self, number, input, output, blocks, options)
  local preact = options.preact_stage[number]
  if preact == nil then fail("resnet_preact: preact_stage has no entry for stage %d", number) end
  local stage = nn.sequential()
  for k = 1, blocks do
    local stride = (k == 1 and number > 1) and 2 or 1
    stage:append(Block(k == 1 and input or output, output, stride, options, k == 1 and preact), "block" .. k)
  end
  self["stage" .. number] = stage
end

-- icl.models.resnet_preact(options). Options, with defaults in the table above:
--   input = { height, width, channels }, classes
--   depth: 6n + 2 with block_type "basic", 9n + 2 with "bottleneck"
--   type: "cifar" (three stages), "imagenet" (four stages of n_blocks, stem of stride 4)
--   initial_channels: of the first stage; 64 is what some call a width of 4
--   remove_first_relu: no relu behind the first batch norm of a block, unless the block is pre-activated
--   add_last_bn: a batch norm at the end of each branch
--   preact_stage: for each stage, does relu(bn1(x)) of its first block feed the shortcut too
--   init_mode: "kaiming_fan_out" or "kaiming_fan_in", normal weights of variance 2 / fan
function ResNetPreact:init(given)
  local options = arguments.options("icl.models.resnet_preact", given, defaults)
  check(options)
  local imagenet, init = options.type == "imagenet", options.init_mode
  local blocks, channels = stage_blocks(options), options.initial_channels
  self.input, self.imagenet, self.stages = options.input, imagenet, #blocks
  self.last_norm = imagenet and "bn_last" or "bn"
  if imagenet then
    self.conv, self.bn = nn.conv2d(options.input[3], channels, 7, { stride = 2, init = init }), nn.batch_norm(channels)
    self.pool = nn.max_pool2d(3, { stride = 2, padding = 1 })
  else
    self.conv = nn.conv2d(options.input[3], channels, 3, { init = init })
  end
  local input = channels
  for number, count in ipairs(blocks) do
    local output = number == 1 and channels or (channels << number - 1) * expansion[options.block_type]
    add_stage(self, number, input, output, count, options)
    input = output
  end
  self[self.last_norm] = nn.batch_norm(input)
  self.fc = nn.linear(input, options.classes, { init = init })
end

-- x (n, h, w, channels) -> logits f32 (n, classes)
function ResNetPreact:forward(x)
  x = self.conv(x)
  if self.imagenet then x = self.pool(self.bn(x):relu()) end
  for number = 1, self.stages do x = self["stage" .. number](x) end
  x = self[self.last_norm](x):relu()
  return self.fc(x:global_avg_pool())
end

return ResNetPreact
