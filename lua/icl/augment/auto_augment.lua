-- augment/auto_augment.lua: augment.auto_augment { policy = "imagenet" }: each image goes through one of 25 pairs of
-- operations, each made with a probability of its own, which were searched for on "imagenet", "cifar10" or "svhn"
-- (Cubuk et al. 2019). Unless given it is "cifar10" for cifar10 and cifar100, and "imagenet" for other sets. As
-- torchvision's AutoAugment on bytes.
local core = require "icl.core"
local ops = core.ops
local datasets = require "icl.internal.datasets"
local options = require "icl.options.list"
local pairs_of = require "icl.augment.auto_augment_policies"
local pictures = require "icl.augment.pictures"
local policy = require "icl.augment.policy"
local rand_augment = require "icl.augment.rand_augment"
local stage = require "icl.augment.stage"

local auto_augment = stage.class("auto_augment", pictures.warping(options "augment.auto_augment"
  : choice("policy", nil, { "imagenet", "cifar10", "svhn" },
      "the images that the operations were found for: cifar10 for cifar10 and cifar100, else imagenet, unless given")))

local BINS = 10

-- Operations and their probabilities, those of a pair one after another.
local tables_for = policy.by_size(function(_, h, w, name)
  local list, probabilities = {}, {}
  for name, probability, index in pairs_of(name) do
    list[#list + 1] = { name, rand_augment.magnitude_of(name, index, BINS, h, w) }
    probabilities[#probabilities + 1] = probability
  end
  local tables = policy.tables(list, h, w)
  tables.probabilities = core.new_tensor(probabilities, "f32")
  return tables
end)

-- auto_augment:operate(x, choices, uniform, negative [, name]) -> images x, of the set of this name, with one operation
-- each: choices, i64 (n), are twice the number of a pair, from 0, and 1 more for the second of it; it is made where
-- uniform, f32 (n), is at most its probability, with a negative sign where `negative`, i64 (n), is 1.
function auto_augment:operate(x, choices, uniform, negative, name)
  local tables = tables_for(self, x, self.options.policy or datasets.policies[name] or "imagenet")
  local made = ops.le(uniform, ops.gather(tables.probabilities, choices))
  return policy.apply(x, tables, ops.where(made, choices * 2 + negative, tables.last), self.options)
end

function auto_augment:apply(batch, rng)
  local n = batch.image:size(1)
  local pair = rng:randint(0, 24, { n })
  for second = 0, 1 do
    local uniform, negative = rng:uniform { n }, rng:randint(0, 1, { n })
    batch.image = self:operate(batch.image, pair * 2 + second, uniform, negative, batch.set.name)
  end
end

return auto_augment
