-- augment/rng.lua: the draws of a chain's stages.
--
-- What is drawn for an image depends on the seed, the loop over batches, the epoch, the stage and the number of the
-- image in its set, so an image is augmented the same whatever batch it is in. What is drawn for a batch depends on the
-- number of the batch in the loop instead; parts of a batch share it.
local core = require "icl.core"
local ops = core.ops
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local beta = require "icl.random.beta"
local given = require "icl.random.given"
local places = require "icl.internal.places"

local Rng = {}
Rng.__index = Rng

-- new(batch, again) -> the draws for a batch. again(batch, stage) brings another batch as far as stage number `stage`.
local function new(batch, again)
  return setmetatable({ batch = batch, again = again }, Rng)
end

-- What is drawn from now on is for the stage of this number and name.
function Rng:enter(number, name)
  self.number, self.stage, self.draws = number, name, 0
end

-- The words of the key of the next draw; no two draws of a stage have the same `purpose`.
local function next_key(rng, purpose)
  local batch, name = rng.batch, ("augment.%s#%d%s"):format(rng.stage, rng.draws, purpose)
  rng.draws = rng.draws + 1
  return places.words(name, batch.epoch or 0, batch.place or "")
end

local function image_key(rng)
  return places.key_of(table.unpack(next_key(rng, "")))
end

local function batch_key(rng)
  return next_key(rng, "@" .. (rng.batch.number or 0))
end

-- ---- one row for each image: the first size of a shape is the number of images ----

-- rng:uniform(shape): f32 in [0, 1).
function Rng:uniform(shape, ...)
  arguments.no_more("rng:uniform", "a shape; its numbers are from 0 to 1", ...)
  return ops.uniform(image_key(self), self.batch.id, { shape = shape })
end

-- rng:normal(shape): f32 of mean 0 and deviation 1.
function Rng:normal(shape, ...)
  arguments.no_more("rng:normal", "a shape; its numbers have mean 0 and deviation 1", ...)
  return ops.normal(image_key(self), self.batch.id, { shape = shape })
end

-- rng:bernoulli(p, shape): bool, true with probability p.
function Rng:bernoulli(p, shape, ...)
  return ops.bernoulli(image_key(self), p, self.batch.id, given.bernoulli("rng:bernoulli", p, shape, ...))
end

-- rng:randint(low, high, shape): i64 from low to high, both included.
function Rng:randint(low, high, shape, ...)
  return ops.randint(image_key(self), self.batch.id, given.randint("rng:randint", low, high, shape, ...))
end

-- ---- for the batch ----

-- rng:numbers() -> a function that gives uniform numbers in (0, 1).
function Rng:numbers()
  return places.numbers(batch_key(self))
end

-- rng:beta(a) -> a number of the distribution Beta(a, a).
function Rng:beta(a, ...)
  arguments.no_more("rng:beta", "one number a, for Beta(a, a)", ...)
  return beta(self:numbers(), a)
end

-- rng:partner() -> { image =, target = }: an image of the batch for each one, all in a random order, as the stages
-- before this one made them. They are gathered and augmented again, which gives the same: all draws are those of the
-- image.
function Rng:partner()
  local batch, key = self.batch, batch_key(self)
  if not batch.at then fail("augment: stage %s mixes the images of a batch, which must be a loader's", self.stage) end
  local partner = batch:at(core.permutation(key, batch:whole():size(1)))
  self.again(partner, self.number)
  return partner
end

return new
