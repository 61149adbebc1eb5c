-- augment/normalize.lua: augment.normalize { mean =, std =, dtype = "f32" }: (byte / 255 - mean) / std for each
-- channel; mean and std are those of the set unless given. With dtype "bf16" or "f16" images and all activations that
-- follow are stored so; f16 needs icl.grad_scaler.
local core = require "icl.core"
local options = require "icl.options.list"
local stage = require "icl.augment.stage"

local normalize = stage.class("normalize", options "augment.normalize"
  : value("mean", nil, "mean of each channel, for bytes divided by 255", { type = "list" })
  : value("std", nil, "standard deviation of each channel", { type = "list", min = 1e-6 })
  : choice("dtype", "f32", { "f32", "bf16", "f16", "f64" }, "of the result"))

local constants = setmetatable({}, { __mode = "k" })  -- by list of numbers

local function constant(numbers)
  constants[numbers] = constants[numbers] or core.new_tensor(numbers, "f64")
  return constants[numbers]
end

function normalize:apply(batch)
  local o = self.options
  local mean, std = constant(o.mean or batch.set.mean), constant(o.std or batch.set.std)
  batch.image = core.ops.normalize(batch.image, mean, std, { dtype = o.dtype })
end

return normalize
