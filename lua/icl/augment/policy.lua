-- augment/policy.lua: what the stages share that choose among operations for each image: rand_augment, trivial_augment
-- and auto_augment. An operation of a magnitude, with either sign, is a row of tables that the images are warped and
-- adjusted by; so what is drawn for an image is the number of a row. As torchvision 0.20 (transforms.autoaugment) does
-- on u8 tensors.
local core = require "icl.core"
local ops = core.ops
local angles = require "icl.augment.angles"
local numbers = require "icl.internal.numbers"
local pictures = require "icl.augment.pictures"

local policy = {}

-- x rounded to f32.
local function single(x)
  return (string.unpack("f", string.pack("f", x)))
end

-- policy.steps(first, last, bins) -> the magnitudes of an operation, as torch.linspace makes them.
function policy.steps(first, last, bins)
  first, last = single(first), single(last)
  local list, step = {}, single((last - first) / (bins - 1))
  for i = 0, bins - 1 do
    list[i + 1] = single(i < bins // 2 and first + single(step * i) or last - single(step * (bins - 1 - i)))
  end
  return list
end

-- policy.bits(range, bins) -> the bits that posterize keeps, from 8 down to 8 - range.
function policy.bits(range, bins)
  local list = {}
  for i = 0, bins - 1 do list[i + 1] = 8 - numbers.round(single(i / ((bins - 1) / range))) end
  return list
end

local function whole(x)
  return x < 0 and math.ceil(x) or math.floor(x)
end

-- Warps by name: coefficients (see op warp) of a magnitude, for images of a size.
local warps = {}

function warps.shear_x(m) return { 1, m, 0, 0, 1, 0, 0, 0 } end
function warps.shear_y(m) return { 1, 0, 0, m, 1, 0, 0, 0 } end
function warps.translate_x(m) return { 1, 0, -whole(m), 0, 1, 0, 0, 0 } end
function warps.translate_y(m) return { 1, 0, 0, 0, 1, -whole(m), 0, 0 } end

function warps.rotate(m, h, w)
  return angles.turning(math.cos(math.rad(m)), math.sin(math.rad(m)), h, w)
end

-- Adjustments (see op adjust) whose amount is one more than the magnitude, and what they are called here.
local factors = { brightness = "brightness", color = "saturation", contrast = "contrast", sharpness = "sharpness" }

local none = { 1, 0, 0, 0, 1, 0, 0, 0 }

-- What the tables have for an operation: coefficients, kind, amount.
local function row_of(name, magnitude, h, w)
  if warps[name] then return warps[name](magnitude, h, w), 0, 0 end
  if factors[name] then return none, pictures.kinds[factors[name]], 1 + magnitude end
  return none, pictures.kinds[name], magnitude
end

local signed = { shear_x = true, shear_y = true, translate_x = true, translate_y = true, rotate = true,
                 brightness = true, color = true, contrast = true, sharpness = true }

-- policy.tables(list, h, w) -> tables of the operations { name, magnitude } of a list, for images of a size: rows 2 i
-- and 2 i + 1 are those of operation i, from 0, with a positive and a negative sign; the last row does nothing.
function policy.tables(list, h, w)
  local coefficients, kinds, amounts = {}, {}, {}
  local function add(name, magnitude)
    local eight, kind, amount = row_of(name, magnitude, h, w)
    table.move(eight, 1, 8, #coefficients + 1, coefficients)
    kinds[#kinds + 1], amounts[#amounts + 1] = kind, amount + 0.0
  end
  for _, operation in ipairs(list) do
    local name, magnitude = table.unpack(operation)
    add(name, magnitude)
    add(name, signed[name] and -magnitude or magnitude)
  end
  add("identity", 0)
  return { coefficients = core.new_tensor(coefficients, "f32", { #kinds, 8 }), kinds = core.new_tensor(kinds, "i64"),
           amounts = core.new_tensor(amounts, "f64"), last = #kinds - 1 }
end

-- policy.apply(x, tables, rows, o) -> images x with the operations of their rows, i64 (n), and the options of a warp.
function policy.apply(x, tables, rows, o)
  x = pictures.warp(x, ops.gather(tables.coefficients, rows), o)
  return ops.adjust(x, ops.gather(tables.amounts, rows), ops.gather(tables.kinds, rows))
end

-- policy.by_size(make) -> a function (stage, x [, name]) that gives make(stage, h, w, name) for the size of images x,
-- made once.
function policy.by_size(make)
  return function(stage, x, name)
    local key = ("%d x %d %s"):format(x:size(2), x:size(3), name or "")
    stage.sizes = stage.sizes or {}
    stage.sizes[key] = stage.sizes[key] or make(stage, x:size(2), x:size(3), name)
    return stage.sizes[key]
  end
end

-- The operations of rand_augment and trivial_augment in their order.
policy.names = { "identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness", "color",
                 "contrast", "sharpness", "posterize", "solarize", "autocontrast", "equalize" }

return policy
