-- augment/pictures.lua: what stages on bytes share: the ops adjust and warp, which compute as torchvision 0.20
-- (transforms.functional on u8 tensors) does, and options that several of them have.
local core = require "icl.core"
local ops = core.ops
local options = require "icl.options.list"
local stage = require "icl.augment.stage"

local pictures = { kinds = core.adjustments() }

-- pictures.adjust(x, kind, amount [, which]) -> images x, those in `which` (bool (n); all unless given) with the
-- adjustment of this name by an amount, a number.
function pictures.adjust(x, kind, amount, which)
  local n, number = x:size(1), pictures.kinds[kind]
  local kinds = which and which:cast "i64" * number or core.full({ n }, number, "i64")
  return ops.adjust(x, core.full({ n }, amount, "f64"), kinds)
end

-- pictures.prob(list, default) -> the list with an option for the share of images that a stage changes.
function pictures.prob(list, default)
  return list:value("prob", default, "share of the images that are changed", { min = 0, max = 1 })
end

-- pictures.stage(name, list [, kind [, amount]]) -> the class of a stage with these options, of which `prob` is one. It
-- makes the adjustment `kind`, that of its name unless given; amount(options) is how much of it.
function pictures.stage(name, list, kind, amount)
  local class = stage.class(name, list)

  function class:apply(batch, rng)
    local which = rng:bernoulli(self.options.prob, { batch.image:size(1) })
    batch.image = pictures.adjust(batch.image, kind or name, amount and amount(self.options) or 0, which)
  end

  return class
end

-- pictures.warping(list [, interpolation]) -> the list with the options that every warp has.
function pictures.warping(list, interpolation)
  return list
    : choice("interpolation", interpolation or "nearest", { "nearest", "bilinear" },
        "how places between pixels are read")
    : value("fill", 0, "byte outside of the image", { min = 0, max = 255 })
end

-- pictures.warp(x, coefficients, o) -> the images as the coefficients, f32 (n, 8), lead, with the options of a warp.
function pictures.warp(x, coefficients, o)
  return ops.warp(x, coefficients, { bilinear = o.interpolation == "bilinear", fill = o.fill })
end

-- pictures.coefficients(columns [, which]) -> f32 (n, 8) from eight columns, each f64 (n) or a number; images that are
-- not in `which`, bool (n), stay as they are.
function pictures.coefficients(columns, n, which)
  local parts, still = {}, { 1, 0, 0, 0, 1, 0, 0, 0 }
  for i, column in ipairs(columns) do
    if type(column) == "number" then column = core.full({ n }, column, "f64") end
    if which then column = ops.where(which, column, still[i]) end
    parts[i] = column:cast "f32":reshape(n, 1)
  end
  return ops.concat(parts[1], parts[2], parts[3], parts[4], parts[5], parts[6], parts[7], parts[8], { dim = 2 })
end

-- pictures.between(rng, low, high, n) -> f64 (n), uniform.
function pictures.between(rng, low, high, n)
  return rng:uniform { n }:cast "f64" * (high - low) + low
end

return pictures
