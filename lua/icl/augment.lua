-- augment.lua: what happens to the images of a batch between the set and the network, as recorded ops.
--
-- A chain is a list of stages; a stage is one of those below or a function(batch, rng) that changes batch.image or
-- batch.target. Draws depend on the seed, the epoch, the stage and the number of the image in its set, so an image is
-- augmented the same whatever batch it is in.
local core = require "icl.core"
local ops = core.ops
local fail = require "icl.fail"
local arguments = require "icl.arguments"
local random = require "icl.random"

local augment = {}

-- The draws of one batch, one row for each image: rng:uniform(shape), rng:normal(shape), rng:bernoulli(p, shape),
-- rng:randint(low, high, shape). The first size of a shape is the number of images.
local Rng = {}
Rng.__index = Rng

local function next_key(rng)
  local low, high = random.seed_words()
  local name = ("augment.%s#%d"):format(rng.stage, rng.draws)
  rng.draws = rng.draws + 1
  return random.key_of(low, high, core.hash32(name), rng.epoch)
end

function Rng:uniform(shape)
  return ops.uniform(next_key(self), self.index, { shape = shape })
end

function Rng:normal(shape)
  return ops.normal(next_key(self), self.index, { shape = shape })
end

function Rng:bernoulli(p, shape)
  return ops.bernoulli(next_key(self), p, self.index, { shape = shape })
end

function Rng:randint(low, high, shape)
  return ops.randint(next_key(self), self.index, { shape = shape, low = low, high = high })
end

local function stage(name, apply)
  return { name = name, apply = apply }
end

-- augment.random_crop { padding = 4, fill = 0 }: a window of the image's size at a random place of the padded image.
-- u8 only.
function augment.random_crop(given)
  local options = arguments.options("augment.random_crop", given, { padding = 4, fill = 0 })
  arguments.integer("augment.random_crop: padding", options.padding, 0)
  return stage("random_crop", function(batch, rng)
    local n, h, w = table.unpack(batch.image:shape())
    local offset = rng:randint(0, 2 * options.padding, { n, 2 })
    batch.image = ops.crop(batch.image, offset, { size = { h, w }, padding = options.padding, fill = options.fill })
  end)
end

-- augment.hflip { prob = 0.5 }: mirrored left to right with probability prob.
function augment.hflip(given)
  local options = arguments.options("augment.hflip", given, { prob = 0.5 })
  return stage("hflip", function(batch, rng)
    batch.image = ops.flip(batch.image, rng:bernoulli(options.prob, { batch.image:size(1) }))
  end)
end

-- augment.normalize { mean =, std =, dtype = "f32" }: (byte / 255 - mean) / std for each channel; those of the set
-- unless given. With dtype "bf16" images and all activations that follow are stored as bf16.
function augment.normalize(given)
  local options = arguments.options("augment.normalize", given, { dtype = "f32" }, { "mean", "std" })
  local constants = setmetatable({}, { __mode = "k" })
  return stage("normalize", function(batch)
    local pair = constants[batch.set]
    if not pair then
      local mean, std = options.mean or batch.set.mean, options.std or batch.set.std
      pair = { core.new_tensor(mean, "f64"), core.new_tensor(std, "f64") }
      constants[batch.set] = pair
    end
    batch.image = ops.normalize(batch.image, pair[1], pair[2], { dtype = options.dtype })
  end)
end

-- The stages with names that differ, so that no two of them share draws.
local function named(stages)
  local list, seen = {}, {}
  for i, item in ipairs(stages) do
    if type(item) == "function" then item = stage("function", item) end
    if type(item) ~= "table" or not item.apply then
      fail("augment.chain: stage %d is a %s; it must be a stage or a function(batch, rng)", i, type(item))
    end
    seen[item.name] = (seen[item.name] or 0) + 1
    list[i] = { name = item.name .. ":" .. seen[item.name], apply = item.apply }
  end
  return list
end

-- augment.chain { stages... } -> function(batch) that applies them in order.
function augment.chain(stages)
  local list = named(stages)
  return function(batch)
    local rng = setmetatable({ index = batch.index, epoch = batch.epoch or 0 }, Rng)
    for _, item in ipairs(list) do
      rng.stage, rng.draws = item.name, 0
      item.apply(batch, rng)
    end
  end
end

local not_mirrored = { mnist = true, kmnist = true }

-- augment.training(options, set) -> the chain that the option groups `augmentation` and `runtime` ask for.
function augment.training(options, set)
  local stages, mirror = {}, options.hflip
  if mirror == nil then mirror = not not_mirrored[set.name] end
  if options.random_crop then stages[#stages + 1] = augment.random_crop { padding = options.crop_padding } end
  if mirror then stages[#stages + 1] = augment.hflip {} end
  stages[#stages + 1] = augment.normalize { dtype = options.precision }
  return augment.chain(stages)
end

-- augment.evaluation(options) -> the chain without random stages.
function augment.evaluation(options)
  return augment.chain { augment.normalize { dtype = options.precision } }
end

return augment
