-- resize.lua: resized, cut and padded images against DIR/transforms: images.safetensors and transforms.json. Bit-exact.
local common = dofile((arg[0]:match "^(.*/)" or "./") .. "common.lua")
local core = require "icl.core"
local icl = require "icl"

local folder = common.folder() .. "/transforms/"
local cases = common.json(folder .. "transforms.json")
local images = common.tensors(folder .. "images.safetensors") or common.fail("%simages.safetensors is missing", folder)

local function same(what, x, expected)
  if not expected then common.fail("%s is not in images.safetensors", what) end
  local got, wanted = table.concat(x:shape(), " "), table.concat(expected:shape(), " ")
  if got ~= wanted then common.fail("%s: shape %s instead of %s", what, got, wanted) end
  if x:bytes() ~= expected:bytes() then
    local difference = (x:cast "f32" - expected:cast "f32"):abs():max():item()
    common.fail("%s: deviation %g, allowed 0", what, difference)
  end
end

-- A box { i, j, h, w } counted from 0, with its first two numbers counted from 1.
local function box_of(list)
  return { list[1] + 1, list[2] + 1, list[3], list[4] }
end

for _, case in ipairs(cases.resize) do
  local name = case.resize and "resize" .. case.resize or "resized_crop" .. case.resized_crop
  common.case(name, function()
    if case.resize then
      local x = icl.image.resize(images.big, case.resize)
      same("size", icl.tensor(x:shape()), icl.tensor { case.out_hw[1], case.out_hw[2], 3 })
      same(name, x, images[name])
    else
      same(name, icl.image.resize(images.big, { case.out, case.out }, box_of(case.i_j_h_w)), images[name])
    end
  end)
end

-- Centre crops: NAME_centercropS is made from NAME, resizeN_centercropS from "big" with its shorter side resized to N.
local names = {}
for name in pairs(images) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
  local source, size = name:match "^(.+)_centercrop(%d+)$"
  if size then
    common.case(name, function()
      local resize = source:match "^resize(%d+)$"
      local x = resize and images.big or images[source]
      same(name, icl.image.center(x, math.tointeger(size), math.tointeger(resize or 0)), images[name])
    end)
  end
end

local function same_box(got, expected)
  for i = 1, 4 do
    if got[i] ~= expected[i] then
      common.fail("the box is %s instead of %s", table.concat(got, " "), table.concat(expected, " "))
    end
  end
end

-- The box that these draws make: uniform numbers for share and ratio of each try, then two integers for its place.
local function box_from(h, w, draws)
  local k = 1
  while draws[k + 1] and draws[k][1] == "uniform" do
    local height, width = core.image_crop_size(h, w, draws[k][4], draws[k + 1][4])
    k = k + 2
    if height then
      same_box({ draws[k][2], draws[k][3], draws[k + 1][2], draws[k + 1][3] },
        { 0, h - height + 1, 0, w - width + 1 })
      return { draws[k][4] + 1, draws[k + 1][4] + 1, height, width }
    end
  end
  return { core.image_largest_crop(h, w) }
end

for i, case in ipairs(cases.random_resized_crop or {}) do
  common.case(("random_resized_crop %d: %d x %d"):format(i, case.h, case.w), function()
    same_box(box_from(case.h, case.w, case.draws), box_of(case.i_j_h_w))
  end)
end
for _, case in ipairs(cases.random_resized_crop_fallback or {}) do
  common.case(("random_resized_crop without a fit: %d x %d"):format(case.h, case.w), function()
    same_box({ core.image_largest_crop(case.h, case.w) }, box_of(case.i_j_h_w))
  end)
end
common.close()
