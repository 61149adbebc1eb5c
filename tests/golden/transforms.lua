-- transforms.lua: what is done to single images, with draws that are given, against DIR/transforms/{transforms.json,
-- cutout.json, random_erasing.json, images.safetensors, normalize_lut.safetensors}. All is exact but for fills that f32
-- rounds.
local common = dofile((arg[0]:match "^(.*/)" or "./") .. "common.lua")
local icl = require "icl"
local augment = icl.augment

local function exact(what, result, expected)
  common.bound(what, common.difference(common.values(result), common.values(expected)).maximum, 0)
end

-- An image (h, w, c) as a batch of one.
local function batch_of(image)
  return image:unsqueeze(1)
end

-- A number as a draw for one image.
local function draw(value, dtype)
  return icl.tensor({ value }, { dtype = dtype, shape = { 1, 1, 1, 1 } })
end

-- Row x0, y0, x1, y1 of the pixels of a mask (1, h, w, 1) that are set, and their number; an error unless they are a
-- rectangle.
local function bounds(mask)
  local rows, box, count = mask:totable()[1], nil, 0
  for y, row in ipairs(rows) do
    for x, pixel in ipairs(row) do
      if pixel[1] ~= 0 then
        box = box or { x - 1, y - 1, x, y }
        box = { math.min(box[1], x - 1), math.min(box[2], y - 1), math.max(box[3], x), math.max(box[4], y) }
        count = count + 1
      end
    end
  end
  if box and count ~= (box[3] - box[1]) * (box[4] - box[2]) then
    common.fail("the %d pixels are no rectangle", count)
  end
  return box or {}, count
end

local function check_box(box, expected)
  local found, wanted = table.concat(box, " "), table.concat(expected or {}, " ")
  if found ~= wanted then common.fail("deviation: the box is [%s], not [%s]", found, wanted) end
end

local function check_normalize(stats, table_of_bytes)
  local bytes, channels = {}, #stats.mean
  for byte = 0, 255 do
    for _ = 1, channels do bytes[#bytes + 1] = byte end
  end
  local batch = { image = icl.tensor(bytes, { dtype = "u8", shape = { 1, 16, 16, channels } }), set = stats }
  augment.normalize {}:apply(batch)
  exact("values of bytes", batch.image:reshape(256, channels), table_of_bytes:transpose())
end

local function check_cutout(row)
  local stage = augment.cutout { size = row.mask_size, inside = row.cut_inside, color = 1 }
  for axis, range in pairs { w = row.randint_x, h = row.randint_y } do
    local first, last = stage:range(row[axis])
    if first ~= range[1] or last + 1 ~= range[2] then
      common.fail("deviation: centres from %d to %d, not from %d to %d", first, last, range[1], range[2] - 1)
    end
  end
  local x = icl.zeros { 1, row.h, row.w, 1 }
  local box, count = bounds(stage:fill(x, stage:box(draw(row.cx, "i64"), draw(row.cy, "i64"))))
  if count > 0 or row.n_masked > 0 then check_box(box, row.masked_x0y0x1y1) end
  if count ~= row.n_masked then common.fail("deviation: %d pixels, not %d", count, row.n_masked) end
end

-- The draws of a row of random_erasing.json in the form of our own; the place from 0 to 1.
local function erasing_draws(row)
  local list, areas, ratios, places, fill = row.draws, {}, {}, {}, nil
  for i = 2, #list do
    local kind, low, high, value = table.unpack(list[i])
    if kind == "randint" then
      places[#places + 1] = (value - low + 0.5) / (high - low)
    elseif #places > 0 then
      fill = value
    else
      local own = #areas > #ratios and ratios or areas
      own[#own + 1] = value
    end
  end
  local function tensor(values) return icl.tensor(values, { shape = { 1, 1, 1, #values } }) end
  return { area = tensor(areas), ratio = tensor(ratios), x = draw(places[1] or 0), y = draw(places[2] or 0) }, fill
end

local function check_erasing(row)
  local stage = augment.random_erasing {}
  if row.draws[1][4] == nil and row.draws[1][2] > stage.options.prob then return check_box({}, row.box_x0y0x1y1) end
  local draws, fill = erasing_draws(row)
  local x = icl.zeros { 1, row.h, row.w, 1 }
  local which = icl.ones({ 1, 1, 1, 1 }, "bool")
  local erased = stage:fill(x, stage:box(draws, x), which, draw(fill or 1))
  check_box(bounds(erased), row.box_x0y0x1y1)
  if fill then common.bound("fill", math.abs(erased:max():item() - fill), 1e-7) end
end

local function check_crop(image, offset, expected)
  local stage = augment.random_crop {}
  local at = icl.tensor({ { offset.top_i, offset.left_j } }, { dtype = "i64" })
  exact("pixels", stage:crop(batch_of(image), at), batch_of(expected))
end

local function check_flip(image, expected)
  exact("pixels", icl.ops.flip(batch_of(image), icl.ones({ 1 }, "bool")), batch_of(expected))
end

local function check_dual_cutout(given, image, expected)
  local stage, views = augment.dual_cutout { size = given.mask_size }, {}
  for k, center in ipairs(given.draws_cx_cy) do
    views[k] = stage:fill(batch_of(image), stage:box(draw(center[1], "i64"), draw(center[2], "i64")))
  end
  exact("pixels", icl.ops.concat(views[1], views[2], { dim = 3 }), batch_of(expected))
end

local folder = common.folder() .. "/transforms/"
local given = common.json(folder .. "transforms.json")
local images = common.tensors(folder .. "images.safetensors")
local tables = common.tensors(folder .. "normalize_lut.safetensors")

local names = {}
for name in pairs(tables) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
  common.case("normalize " .. name, function() return check_normalize(given.stats[name], tables[name]) end)
end
for i, row in ipairs(common.json(folder .. "cutout.json")) do
  common.case("cutout " .. i, function() return check_cutout(row) end)
end
for i, row in ipairs(common.json(folder .. "random_erasing.json")) do
  common.case("random_erasing " .. i, function() return check_erasing(row) end)
end
for i, offset in ipairs(given.crop) do
  common.case("crop " .. i, function() return check_crop(images.image, offset, images["crop" .. i - 1]) end)
end
common.case("hflip", function() return check_flip(images.image, images.hflip) end)
common.case("dual_cutout", function()
  return check_dual_cutout(given.dual_cutout, images["dual_cutout.in"], images["dual_cutout.out"])
end)
common.close()
