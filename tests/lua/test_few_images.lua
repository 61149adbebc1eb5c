-- test_few_images.lua: fewer images than threads, which then compute each image together: the results of a batch.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local nn = icl.nn

-- Kernels of each kind, on images that are worth dividing, and on some that are not.
local function new_model(act)
  act = act or nn.relu
  return nn.sequential {
    nn.conv2d(3, 40, 3), nn.batch_norm(40), act(), nn.conv2d(40, 64, 3), act(), nn.conv2d(64, 48, 1),
    nn.conv2d(48, 64, 3, { groups = 4 }), act(), nn.conv2d(64, 64, 5, { stride = 2, padding = 2 }), act(),
    nn.conv2d(64, 72, 3, { stride = 2 }), nn.batch_norm(72), act(), nn.conv2d(72, 160, 3), nn.conv2d(160, 33, 1),
    nn.global_avg_pool(), nn.linear(33, 10),
  }
end

local MANY = 40  -- more than threads, it is hoped
local images = icl.random.normal { MANY, 45, 37, 3 }
local labels = icl.tensor({ 1, 2, 3, 4, 5, 6, 7, 8 }, { dtype = "i64" })

local function pass(model, x)
  return icl.no_grad(icl.step, function() return model(x) end)
end

local function largest_difference(a, b) return (a - b):abs():max():item() end

for dtype, tolerance in pairs { f32 = 2e-5, bf16 = 2e-2 } do
  check("forward, " .. dtype, function()
    local model, x = new_model():eval(), images:cast(dtype)
    local all = pass(model, x):cast "f32"
    local scale = all:abs():max():item()
    for _, count in ipairs { 1, 2, 3 } do
      for first = 1, 7, 3 do
        local few = pass(model, x:narrow(1, first, count)):cast "f32"
        check.equal(largest_difference(few, all:narrow(1, first, count)) <= tolerance * scale, true)
      end
    end
  end)
end

-- Rows are divided among threads in another way for each height; the layer and its weights stay.
for dtype, tolerance in pairs { f32 = 2e-5, bf16 = 2e-2 } do
  check("one layer, images of many heights, " .. dtype, function()
    local widths = { [nn.conv2d(64, 64, 1)] = 45, [nn.conv2d(128, 64, 1)] = 56, [nn.conv2d(128, 64, 3)] = 9 }
    for layer, width in pairs(widths) do
      for height = 13, 5, -1 do
        local x = icl.random.normal { MANY, height, width, layer.weight:size(3) }:cast(dtype)
        local few, all = pass(layer, x:narrow(1, 1, 1)):cast "f32", pass(layer, x):narrow(1, 1, 1):cast "f32"
        check.equal(largest_difference(few, all) <= tolerance * all:abs():max():item(), true)
      end
    end
  end)
end

check("a pass of one image is the same each time", function()
  local model, x = new_model():eval(), images:narrow(1, 5, 1)
  local first = pass(model, x):bytes()
  for _ = 1, 20 do check.equal(pass(model, x):bytes(), first) end
end)

-- Gradients of the mean loss over some images.
local function gradients(model, x, y)
  local result = {}
  icl.step(function()
    icl.loss.cross_entropy(model(x), y):backward()
    for i, entry in ipairs(model:named_parameters()) do result[i] = entry.state.grad:keep() end
  end)
  return result
end

check("gradients of one image are those of many that are the same", function()
  local model = new_model(nn.gelu):eval()  -- without a kink at which kernels could fall to either side
  local one, y = images:narrow(1, 3, 1), labels:narrow(1, 3, 1)
  local many = {}
  for i = 1, MANY do many[i] = one end
  local ys = {}
  for i = 1, MANY do ys[i] = y end
  local few, all = gradients(model, one, y), gradients(model, icl.concat(many, 1), icl.concat(ys, 1))
  check.equal(#few >= 14, true)
  for i = 1, #few do
    check.equal(largest_difference(few[i], all[i]) <= 1e-4 * all[i]:abs():max():item() + 1e-7, true)
  end
end)

check("a NaN in one image is found", function()
  local model = new_model():eval()
  local bad = icl.tensor { 0 / 0 } * images:narrow(1, 1, 1)
  check.equal(pass(model, bad):isnan():any():item(), true)
end)

check.close()
