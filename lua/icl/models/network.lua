-- models/network.lua: the class that model families inherit from: their options, the depth rule, and the frame that
-- most of them share: a stem, stages of blocks, and a linear layer behind the mean over all pixels.
--
-- What an option is without being given may depend on the form and, in the form for large images, on a depth that is
-- given: it stands for the network of that depth in the paper. Such options are declared without a default; a family
-- has their values in `forms` = { cifar =, imagenet = } and `papers` = { [depth] = values }.
local nn = require "icl.nn"
local check_input = require "icl.nn.input"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local datasets = require "icl.internal.datasets"
local options = require "icl.options.list"

local Network = nn.layer "network"

-- Options about first weights that all families have.
Network.first_weights = options "first weights"
  : choice("init_mode", "kaiming_fan_out", nn.initial.modes, "first weights: normal of variance 2 / fan")
  : choice("head_init", nil, { "published", "default" }, "those of the last layer: published: as init_mode has them; "
      .. "default: uniform within 1 / sqrt(fan_in) (default: published for sets with published figures)")

-- What images and classes a form has unless they are given.
local defaults = {
  cifar = { input = { 32, 32, 3 }, classes = 10 },
  imagenet = { input = { 224, 224, 3 }, classes = 1000 },
}

-- Network.family(name, title, types [, base]) -> the class of a family. Its field `options` lists the family's options;
-- they begin with the form, one of `types` ("cifar", "imagenet"), and the rule for first weights.
function Network.family(name, title, types, base)
  local family = nn.layer(name, base or Network)
  family.options = options(title)
    : choice("type", nil, types,
        "cifar: small images; imagenet: a stage more, and a stem that divides sizes by 4 (default: by data set)")
    : add(Network.first_weights, "")
  return family
end

-- The form that values of options ask for.
local function form_of(values)
  return values.type or datasets.folders[values.dataset] and "imagenet" or "cifar"
end

-- Network.only(type) -> the condition of options that only a form has.
function Network.only(type)
  return { "{type} " .. type, function(values) return form_of(values) == type end }
end

-- Network.only_bottleneck(family) -> the condition of options that mean something with bottleneck blocks alone.
function Network.only_bottleneck(family)
  return { "{block_type} bottleneck", function(values)
    local form = form_of(values)
    local paper = form == "imagenet" and family.papers[values.depth]
    return (values.block_type or (paper or family.forms[form]).block_type) == "bottleneck"
  end }
end

-- The last layer.
function Network:head(features, o)
  return nn.linear(features, o.classes, { init = o.head_init == "default" and "uniform_fan_in" or o.init_mode })
end

local function check_image(name, input)
  if type(input) ~= "table" or #input ~= 3 then fail("%s: input must be { height, width, channels }", name) end
  for _, size in ipairs(input) do arguments.integer(name .. ": a size of input", size, 1, 1 << 16) end
end

-- The depths of a family's papers as text: "18, 34, 50".
local function depths_of(papers)
  local list = {}
  for depth in pairs(papers) do list[#list + 1] = depth end
  table.sort(list)
  return table.concat(list, ", ")
end

-- What the paper has for o.depth in the form for large images.
local function paper_of(self, name, o)
  local paper = self.papers[o.depth]
  if not paper then
    fail("%s: {depth} %d is impossible with {type} imagenet; {depth} is the number of %s. {n_blocks} makes others",
      name, o.depth, self.options.specs.depth.help)
  end
  if o.n_blocks then fail("%s: {depth} and {n_blocks} both say how many blocks there are; give one of them", name) end
  if o.block_type and o.block_type ~= paper.block_type then
    fail("%s: {depth} %d has %s blocks, not {block_type} %s; {n_blocks} makes other networks", name, o.depth,
      paper.block_type, o.block_type)
  end
  return paper
end

-- Fills in what was not given and has no default of its own.
local function fill(self, name, o)
  if not self.forms then return end
  local sources = { self.forms[o.type] }
  if o.type == "cifar" and o.n_blocks then
    fail("%s: {n_blocks} is for {type} imagenet; {depth} says how many blocks there are with {type} cifar", name)
  elseif o.type == "imagenet" and o.depth then
    table.insert(sources, 1, paper_of(self, name, o))
  end
  for _, values in ipairs(sources) do
    for key, value in pairs(values) do
      if o[key] == nil then o[key] = value end
    end
  end
end

-- All options of a model from what its constructor was given: those of the family, `input` = { height, width,
-- channels }, and `classes`. They stay in the field `settings`.
function Network:read(given, ...)
  local own, name = {}, "icl.models." .. self.class_name
  arguments.no_more(name, "one table of options", ...)
  if given ~= nil then arguments.typed(name, given, "table", "a table of options") end
  for key, value in pairs(given or {}) do own[key] = value end
  local input, classes = own.input, own.classes
  own.input, own.classes = nil, nil
  local o = self.options:complete(name, own)
  o.type = o.type or "cifar"
  fill(self, self.class_name, o)
  o.input, o.classes = input or defaults[o.type].input, classes or defaults[o.type].classes
  check_image(name, o.input)
  o.classes = arguments.size(name .. ": classes", o.classes)
  self.input, self.settings = o.input, o
  return o
end

local function check_counts(name, counts, stages)
  if #counts ~= stages then fail("%s: {n_blocks} has %d entries; imagenet has %d stages", name, #counts, stages) end
  for _, count in ipairs(counts) do arguments.integer(name .. ": an entry of {n_blocks}", count, 1, 1000) end
end

-- How many blocks each stage has: n_blocks for imagenet; else three stages of n, where depth = unit n + rest.
function Network:stage_blocks(o, unit, rest)
  local name, depth = self.class_name, o.depth
  if o.type == "imagenet" then
    check_counts(name, o.n_blocks, 4)
    return o.n_blocks
  end
  if depth < unit + rest or (depth - rest) % unit ~= 0 then
    local below = math.max((depth - rest) // unit, 1) * unit + rest
    local kind = o.block_type and (" with %s blocks"):format(o.block_type) or ""
    local papers = self.papers and next(self.papers) and ("; %s are for {type} imagenet"):format(depths_of(self.papers))
    fail("%s: {depth} %d is impossible%s; it must be %dn + %d, for example %d or %d" .. (papers or ""), name, depth,
      kind, unit, rest, below, below + unit)
  end
  local blocks = (depth - rest) // unit
  return { blocks, blocks, blocks }
end

-- Height and width behind the stem.
function Network:stem_size(o)
  local height, width = o.input[1], o.input[2]
  if o.type == "imagenet" then return (height + 3) // 4, (width + 3) // 4 end
  return height, width
end

-- A 3x3 convolution and what follows it on small images; 7x7, batch norm, relu and pooling on large ones.
local function add_stem(self, o, frame)
  local imagenet = o.type == "imagenet"
  local kernel, stride = imagenet and 7 or 3, imagenet and 2 or 1
  self.conv = nn.conv2d(o.input[3], frame.channels, kernel, { stride = stride, init = o.init_mode })
  self.stem_norm, self.stem_relu = frame.stem_norm, frame.stem_relu
  if imagenet then self.stem_norm, self.stem_relu = "bn", true end
  if self.stem_norm then self[self.stem_norm] = nn.batch_norm(frame.channels) end
  if imagenet then self.pool = nn.max_pool2d(3, { stride = 2, padding = 1 }) end
end

local function add_stages(self, frame)
  local channels = frame.channels
  self.stages = #frame.blocks
  for number, count in ipairs(frame.blocks) do
    local stage, block = nn.sequential(), nil
    for k = 1, count do
      local stride = (k == 1 and number > 1) and 2 or 1
      block, channels = frame.block(channels, number, k, stride)
      stage:append(block, "block" .. k)
    end
    if frame.transition and number < self.stages then
      block, channels = frame.transition(channels, number)
      stage:append(block, "transition")
    end
    self["stage" .. number] = stage
  end
  return channels
end

-- Makes the layers. o: what `read` returned. frame:
--   channels: of the stem; blocks: how many each stage has
--   block(input, stage, k, stride) -> module, output channels: makes block k of a stage; strides are 2 in the first
--     block of all stages but the first
--   transition(input, stage) -> module, output channels: what follows the blocks of all stages but the last, if given
--   stem_norm, stem_relu: name of the batch norm in the stem (nil: none), and whether a relu follows; for small images
--   last_norm, last_relu: the same before the mean over all pixels, for both forms; the name for imagenet is bn_last
function Network:build(o, frame)
  add_stem(self, o, frame)
  local channels = add_stages(self, frame)
  self.last_norm, self.last_relu = frame.last_norm, frame.last_relu
  if self.last_norm and o.type == "imagenet" then self.last_norm = "bn_last" end
  if self.last_norm then self[self.last_norm] = nn.batch_norm(channels) end
  self.fc = self:head(channels, o)
end

-- x (n, h, w, channels) -> logits (n, classes), f32 unless model:to made the weights narrower
function Network:forward(x)
  check_input(self, x)
  x = self.conv(x)
  if self.stem_norm then x = self[self.stem_norm](x) end
  if self.stem_relu then x = x:relu() end
  if self.pool then x = self.pool(x) end
  for number = 1, self.stages do x = self["stage" .. number](x) end
  if self.last_norm then x = self[self.last_norm](x) end
  if self.last_relu then x = x:relu() end
  return self.fc(x:global_avg_pool())
end

return Network
