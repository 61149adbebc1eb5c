-- models/vgg.lua: VGG (Simonyan and Zisserman 2015): stages of 3x3 convolutions, each ending with a pooling that halves
-- the size. Small images are classified by one linear layer, large ones by three with dropout between them.
local nn = require "icl.nn"
local check_input = require "icl.nn.input"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local Network = require "icl.models.network"

local VGG = Network.family("vgg", "VGG (Simonyan and Zisserman 2015)", { "cifar", "imagenet" })
VGG.options
  : value("depth", nil, "11, 13, 16 or 19: the convolutions of that network of the paper", { type = "integer" })
  : value("n_channels", { 64, 128, 256, 512, 512 }, "channels of each stage", { min = 1, max = 1 << 16 })
  : value("n_layers", nil, "convolutions in each stage, where no depth is given (default 2,2,3,3,3)",
      { type = "list", min = 1, max = 1000 })
  : flag("use_bn", true, "batch norm behind each convolution")

local HIDDEN, DROP_RATE = 4096, 0.5

-- Convolutions in each stage, by depth; the layers behind them count in it.
local papers = {
  [11] = { 1, 1, 2, 2, 2 }, [13] = { 2, 2, 2, 2, 2 }, [16] = { 2, 2, 3, 3, 3 }, [19] = { 2, 2, 4, 4, 4 },
}

local function layers_of(o)
  if not o.depth then return o.n_layers or papers[16] end
  if o.n_layers then fail "vgg: {depth} and {n_layers} both say how many convolutions there are; give one of them" end
  return papers[o.depth] or fail("vgg: {depth} %d is impossible; there are 11, 13, 16, 19, with {type} cifar and "
    .. "imagenet; {n_layers} makes others", o.depth)
end

local function check_stages(o)
  local stages = #o.n_layers
  if #o.n_channels ~= stages then
    fail("vgg: {n_channels} has %d entries and {n_layers} %d; both have one for each stage", #o.n_channels, stages)
  end
  for stage = 1, stages do
    arguments.integer("vgg: an entry of {n_channels}", o.n_channels[stage], 1, 1 << 16)
    arguments.integer("vgg: an entry of {n_layers}", o.n_layers[stage], 1, 1000)
  end
  local least = 1 << stages
  if o.input[1] < least or o.input[2] < least then
    fail("vgg: images of %d x %d are too small for %d stages, each of which halves the size; they need %d x %d. "
      .. "Shorter lists {n_channels} and {n_layers} make fewer stages", o.input[1], o.input[2], stages, least, least)
  end
end

local function stage_of(input, channels, layers, o)
  local stage = nn.sequential()
  for i = 0, layers - 1 do
    local conv = nn.conv2d(i == 0 and input or channels, channels, 3, { bias = true, init = o.init_mode })
    stage:append(conv, "conv" .. i)
    if o.use_bn then stage:append(nn.batch_norm(channels), "bn" .. i) end
    stage:append(nn.relu(), "relu" .. i)
  end
  return stage:append(nn.max_pool2d(2), "pool")
end

local function add_classifier(self, features, o)
  local init = { init = o.init_mode }
  if o.type == "cifar" then
    self.fc = self:head(features, o)
    return
  end
  self.fc1 = nn.linear(features, HIDDEN, init)
  self.dropout1 = nn.dropout(DROP_RATE)
  self.fc2 = nn.linear(HIDDEN, HIDDEN, init)
  self.dropout2 = nn.dropout(DROP_RATE)
  self.fc3 = self:head(HIDDEN, o)
end

-- icl.models.vgg(options): icl.models.vgg.options shows them; and input = { height, width,
-- channels }, classes.
function VGG:init(...)
  local o = self:read(...)
  o.n_layers = layers_of(o)
  check_stages(o)
  local channels = o.input[3]
  self.stages = #o.n_layers
  for stage = 1, self.stages do
    self["stage" .. stage] = stage_of(channels, o.n_channels[stage], o.n_layers[stage], o)
    channels = o.n_channels[stage]
  end
  add_classifier(self, channels * (o.input[1] >> self.stages) * (o.input[2] >> self.stages), o)
end

-- x (n, h, w, channels) -> logits (n, classes)
function VGG:forward(x)
  check_input(self, x)
  for stage = 1, self.stages do x = self["stage" .. stage](x) end
  x = x:flatten()
  if self.fc then return self.fc(x) end
  x = self.dropout1(self.fc1(x):relu())
  x = self.dropout2(self.fc2(x):relu())
  return self.fc3(x)
end

local classifier = { fc1 = "classifier.0", fc2 = "classifier.3", fc3 = "classifier.6" }

-- What torchvision calls a state, for files: it counts all layers, those without states too.
function VGG:torchvision_name(name)
  local o = self.settings
  if o.type ~= "imagenet" then return nil end
  local layer, rest = name:match "^(fc%d)(%..*)$"
  if layer then return classifier[layer] .. rest end
  local stage, kind, number, field = name:match "^stage(%d+)%.(%l+)(%d+)(%..*)$"
  local each, place = o.use_bn and 3 or 2, 0
  for before = 1, tonumber(stage) - 1 do place = place + each * o.n_layers[before] + 1 end
  return ("features.%d%s"):format(place + each * number + (kind == "bn" and 1 or 0), field)
end

return VGG
