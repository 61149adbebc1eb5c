-- collators.lua: mixed batches, with draws that are given, against DIR/collators/{collators.json,
-- collators.safetensors}. CutMix and RICAP copy pixels and are exact.
local common = dofile((arg[0]:match "^(.*/)" or "./") .. "common.lua")
local icl = require "icl"
local augment = icl.augment

local MIXUP = 1e-6

local function integers(list)
  return icl.tensor(list, { dtype = "i64" })
end

local function check_numbers(what, found, expected)
  local difference = common.difference(found, expected)
  common.bound(what, difference.maximum, 1e-12)
end

local function check_image(result, expected, tolerance)
  common.bound("pixels", common.difference(common.values(result), common.values(common.images(expected))).maximum,
    tolerance)
end

-- The labels of images in another order are those of the reference.
local function check_labels(labels, order, expected)
  check_numbers("labels", common.values(labels:gather(integers(order))), expected)
end

local checks = {}

function checks.mixup(case, x, labels, expected)
  check_image(augment.mixup {}:mix(x, x:gather(integers(case.perm)), case.lam), expected, MIXUP)
  check_labels(labels, case.perm, case.targets2)
end

function checks.cutmix(case, x, labels, expected)
  local stage = augment.cutmix {}
  local box = stage:box(case.lam, case.cx, case.cy, x:size(2), x:size(3))
  check_numbers("box", { box.left, box.top, box.right, box.bottom }, case.box_x0y0x1y1)
  check_image(stage:mix(x, x:gather(integers(case.perm)), box), expected, 0)
  check_labels(labels, case.perm, case.targets2)
end

function checks.ricap(case, x, labels, expected)
  local stage, height, width = augment.ricap {}, x:size(2), x:size(3)
  local patches = stage:patches(case.ratio_wh[1], case.ratio_wh[2], height, width)
  local images, offsets, weights, ranges = {}, {}, {}, {}
  for k, patch in ipairs(patches) do
    images[k], weights[k] = x:gather(integers(case.perms[k])), patch.weight
    offsets[k] = { x = case.x0y0_per_patch[k][1], y = case.x0y0_per_patch[k][2] }
    ranges[2 * k - 1], ranges[2 * k] = width - patch.width + 1, height - patch.height + 1
    check_labels(labels, case.perms[k], case.labels[k])
  end
  check_numbers("corner", { patches[1].width, patches[1].height }, case.w0h0)
  check_numbers("weights", weights, case.weights)
  for i, range in ipairs(case.randint_ranges) do check_numbers("range of an offset", { 0, ranges[i] }, range) end
  check_image(stage:mix(images, patches, offsets), expected, 0)
end

local folder = common.folder() .. "/collators/"
local stored = common.tensors(folder .. "collators.safetensors")
local all, x = common.json(folder .. "collators.json"), common.images(stored.data)
for _, name in ipairs { "mixup", "cutmix", "ricap" } do
  for i, case in ipairs(all[name] or {}) do
    local id = name .. i - 1
    common.case(id, function() return checks[name](case, x, stored.labels, stored[id .. ".out"]) end)
  end
end
common.close()
