-- test_recipes.lua: the recipes in recipes/ with each of their published results and presets, as far as the call of
-- icl.fit.
local folder = arg[0]:match "^(.*/)" or "./"
local check = dofile(folder .. "check.lua")
local help = require "icl.options.help"
local processes = require "icl.internal.processes"
local results = require "icl.options.results"
local shown = help.shown
local recipes = dofile(folder .. "recipes.lua")
local given_to_fit, sets = recipes.given_to_fit, recipes.sets

local function check_options(options, expected)
  for name, value in pairs(expected) do
    local own = options[name]
    if type(value) == "table" then value, own = shown(value), shown(own) end
    if own ~= value then error(("%s is %s, not %s"):format(name, tostring(own), tostring(value)), 0) end
  end
end

-- ---- without options: the settings that the figures of a family were published with ----

local function settings(batch, rate, decay, epochs, milestones, others)
  local values = {
    dataset = "cifar10", drop_last = true, use_test_as_val = true, eval_batch_size = 256, seed = 0, precision = "f32",
    optimizer = "sgd", momentum = 0.9, nesterov = true, weight_decay_of = "all", subdivision = 1,
    init_mode = "kaiming_fan_out", batch_size = batch, base_lr = rate, weight_decay = decay, epochs = epochs,
    lr_decay = 0.1, warmup = "none",
    schedule = milestones and "multistep" or "cosine", milestones = milestones,
    random_crop = true, crop_padding = 4, cutout = false,
  }
  for name, value in pairs(others or {}) do values[name] = value end
  return values
end

-- family: parameters of the model, settings
local families = {
  densenet = { 769162, settings(64, 0.1, 1e-4, 300, { 150, 225 }) },
  pyramidnet = { 26210842, settings(128, 0.1, 1e-4, 300, { 150, 225 }) },
  resnet = { 1730714, settings(128, 0.1, 1e-4, 160, { 80, 120 }) },
  resnet_preact = { 1730522, settings(128, 0.1, 1e-4, 160, { 80, 120 }) },
  resnext = { 34426698, settings(128, 0.1, 5e-4, 300, { 150, 225 }) },
  se_resnet_preact = { 1748792, settings(128, 0.1, 1e-4, 160, { 80, 120 }) },
  shake_shake = { 26192922, settings(128, 0.2, 1e-4, 1800, nil, { lr_min_factor = 0.0 }) },
  vgg = { 14728266, settings(128, 0.1, 1e-4, 160, { 80, 120 }) },
  wrn = { 36479194, settings(128, 0.1, 5e-4, 200, { 60, 120, 160 },
    { lr_decay = 0.2, init_mode = "kaiming_fan_in", drop_rate = 0.0 }) },
}

for name, row in pairs(families) do
  check(name .. " without options", function()
    local given = given_to_fit(name)
    check.equal(given.model:count(), row[1])
    check_options(given.options, row[2])
    collectgarbage()
  end)
end

-- ---- published results and presets ----

local preact20, wide20, preact56 = 272282, 4326986, 855578
local cosine = { schedule = "cosine", base_lr = 0.2, epochs = 200 }
local large = { dataset = "imagenet", batch_size = 256, base_lr = 0.1, weight_decay = 1e-4, epochs = 90,
                schedule = "multistep", milestones = { 30, 60 }, lr_decay = 0.1, image_size = 224 }

-- Of each recipe: how many cells its tables of published figures have, how many presets it has, and some of both:
-- { name, published figures or the note of the preset, parameters, options }.
local expected = {
  batch_size = { cells = 40, presets = 0,
    { "4096/epochs=200", "10.57 %", preact20, { base_lr = 3.2, batch_size = 4096, schedule = "cosine", epochs = 200 } },
    { "4096/schedule=multistep", "28.97 %", preact20,
      { schedule = "multistep", epochs = 200, milestones = { 80, 120 } } },
    { "8/epochs=200", "7.70 %", preact20, { base_lr = 0.006125, batch_size = 8 } },
    { "64/epochs=400", "7.17 %", preact20, { base_lr = 0.05, epochs = 400 } },
    { "128/epochs=800", "6.68 %", preact20, { batch_size = 128, epochs = 800 } },
  },
  densenet = { cells = 5, presets = 6,
    { "100-12", "3.87 % (reproduced), 4.10 % (in the paper)", 7083538, { block_type = "basic", epochs = 300 } },
    { "100-24", "3.74 % (in the paper)", 28071706 },
    { "bc-100-12", "4.69 % (reproduced), 4.51 % (in the paper)", 769162, { batch_size = 32, base_lr = 0.05 } },
    { "bc-250-24", "3.62 % (in the paper)", 15324406 },
    { "bc-190-40", "3.46 % (in the paper)", 25624430 },
    { "densenet121", "ImageNet; no figure was published", 7978856, large },
  },
  fashion_mnist = { cells = 22, presets = 5,
    { "plain/epochs=200", "5.04 %", 271994, cosine },
    { "preact20/cutout_size=6", "4.84 %", 271994, { cutout = true, cutout_size = 6, dataset = "fashion_mnist" } },
    { "preact20/cutout_size=16", "4.49 %", 271994, { cutout_size = 16 } },
    { "random_erasing/epochs=200", "4.61 %", 271994, { random_erasing = true, cutout = false } },
    { "mixup/epochs=400", "4.64 %", 271994, { mixup = true, epochs = 400 } },
    { "preact20-wide/cutout_size=12", "4.17 %", 4325834, { cutout_size = 12 } },
    { "preact50/cutout_size=14", "4.38 %", 758074 },
    { "preact50-wide/cutout_size=14", "4.13 %", 12076234 },
    { "2x32d,epochs=400/cutout_size=12", "4.08 %", 2922874, { epochs = 400, cutout = true } },
    { "2x96d,epochs=800/cutout_size=14", "3.60 %", 26192634, { epochs = 800, base_lr = 0.2 } },
  },
  ghost_batch = { cells = 15, presets = 0,
    { "8192/epochs=200", "11.51 %", preact20, { subdivision = 64, batch_size = 8192, base_lr = 1.6 } },
    { "4096/epochs=1600", "8.95 %", preact20, { subdivision = 32, epochs = 1600, schedule = "cosine" } },
    { "whole-1024/epochs=1600", "6.94 %", preact20, { subdivision = 1, batch_size = 1024 } },
  },
  kmnist = { cells = 4, presets = 3,
    { "preact20", "0.82 % (median of 3), 0.67 % (best of 3)", 271994,
      { cutout = true, cutout_size = 14, base_lr = 0.2, epochs = 200 } },
    { "preact20-wide", "0.72 % (median of 3), 0.67 % (best of 3)", 4325834, { dataset = "kmnist" } },
    { "pyramid110-270", "0.72 % (median of 3), 0.70 % (best of 3)", 28485189 },
    { "2x96d", "0.66 % (median of 3), 0.63 % (best of 3)", 26192634, { schedule = "cosine", epochs = 200 } },
  },
  lars = { cells = 27, presets = 0,
    { "4096/base_lr=0.02", "8.21 %", preact20, { optimizer = "lars", base_lr = 0.02, batch_size = 4096 } },
    { "128/base_lr=0.00125", "9.21 %", preact20, { schedule = "cosine", epochs = 200 } },
    { "512/base_lr=0.0075", "7.58 %", preact20, { base_lr = 0.0075 } },
    { "4096/epochs=1600", "7.37 %", preact20, { epochs = 1600, optimizer = "lars" } },
  },
  learning_rate = { cells = 38, presets = 0,
    { "4096/base_lr=1.6", "10.32 %", preact20, { batch_size = 4096, base_lr = 1.6, epochs = 200 } },
    { "2048/base_lr=0.8", "9.62 %", preact20 },
    { "1024/base_lr=1.2", "8.25 %", preact20, { batch_size = 1024 } },
    { "128/base_lr=0.025", "10.07 %", preact20, { base_lr = 0.025 } },
    { "32/base_lr=0.1", "7.25 %", preact20, { batch_size = 32, schedule = "cosine" } },
  },
  long_training = { cells = 16, presets = 0,
    { "2048/epochs=6400", "7.45 %", preact20, { base_lr = 1.6, epochs = 6400 } },
    { "128/epochs=1600", "6.64 %", preact20, { base_lr = 0.4, batch_size = 128, schedule = "cosine" } },
  },
  mnist = { cells = 13, presets = 4,
    { "plain", "0.40 % (median of 3)", 271994, { dataset = "mnist", epochs = 100, base_lr = 0.2, cutout = false } },
    { "preact20/cutout_size=6", "0.32 %", 271994, { cutout_size = 6, cutout = true } },
    { "mixup0.5", "0.38 % (median of 3)", 271994, { mixup = true, mixup_alpha = 0.5 } },
    { "preact50-wide/cutout_size=14", "0.25 %", 12076234 },
    { "2x96d/cutout_size=14", "0.24 %", 26192634, { epochs = 100 } },
  },
  precision = { cells = 21, presets = 0,
    { "4096/precision=f32", "10.32 % (1080 Ti), 9.88 % (V100)", preact20, { base_lr = 1.6, precision = "f32" } },
    { "8192/precision=f16", "11.78 % (1080 Ti), 11.92 % (V100)", preact20, { precision = "f16", batch_size = 8192 } },
    { "128/precision=f16", "7.37 % (1080 Ti)", preact20, { base_lr = 0.4, schedule = "cosine", epochs = 200 } },
    { "2048/precision=f16-pure", "75.63 % (1080 Ti)", preact20, { precision = "f16-pure", base_lr = 1.6 } },
  },
  pyramidnet = { cells = 4, presets = 5,
    { "110-84", "4.40 % (reproduced), 4.26 % (in the paper)", 3904446 },
    { "110-270", "3.92 % (reproduced), 3.73 % (in the paper)", 28485477, { epochs = 300 } },
    { "164-270", "3.44 % (reproduced), 3.48 % (in the paper)", 27216021 },
    { "272-200", "3.31 % (in the paper)", 26210842 },
    { "pyramidnet200", "ImageNet; no figure was published", 62368168,
      { batch_size = 128, base_lr = 0.05, epochs = 120, milestones = { 60, 90, 105 }, weight_decay = 1e-4 } },
  },
  regularization = { cells = 25, presets = 0,
    { "plain/epochs=200", "7.60 %", preact20, cosine },
    { "plain/epochs=400", "7.05 %", preact20 },
    { "label_smoothing=0.01/epochs=200", "7.21 %", preact20, { label_smoothing = 0.01 } },
    { "mixup/epochs=400", "6.66 %", preact20, { mixup = true, epochs = 400 } },
    { "ricap/epochs=200", "6.77 %", preact20, { ricap = true, ricap_beta = 0.3, random_crop = false } },
    { "ricap-crop/epochs=400", "6.30 %", preact20, { ricap = true, random_crop = true } },
    { "dual_cutout/epochs=200", "6.24 %", preact20, { dual_cutout = true, cutout_size = 16, dual_cutout_alpha = 0.1 } },
    { "wide/epochs=1800", "3.99 %", wide20, { epochs = 1800, base_lr = 0.2 } },
    { "wide-cutout/epochs=400", "3.46 %", wide20, { cutout = true, cutout_size = 16 } },
    { "wide-ricap/epochs=1800", "3.15 %", wide20, { ricap = true, random_crop = false } },
  },
  residual_unit = { cells = 10, presets = 6,
    { "A", "6.45 % (median of 5)", preact56, { base_lr = 0.2, epochs = 160, schedule = "multistep" } },
    { "B", "6.47 % (median of 5)", preact56 },
    { "C", "6.14 % (median of 5)", preact56 },
    { "D", "6.43 % (median of 5)", 857594 },
    { "E", "5.85 % (median of 5)", 857594, { remove_first_relu = true, add_last_bn = true } },
    { "F", "6.27 % (median of 5)", 857594 },
    { "E-cosine", "5.72 % (median of 5)", 857594, { schedule = "cosine", epochs = 160 } },
    { "E-cutout", "4.96 % (median of 5)", 857594, { cutout = true, cutout_size = 16 } },
    { "E-erasing", "5.22 % (median of 5)", 857594, { random_erasing = true } },
    { "E-mixup", "5.11 % (median of 5)", 857594, { mixup = true, epochs = 300 } },
  },
  resnet = { cells = 3, presets = 5,
    { "resnet110", "6.52 % (reproduced), 6.43 % (in the paper)", 1730714 },
    { "resnet56", "6.97 % (in the paper)", 855770 },
    { "resnet20", "8.75 % (in the paper)", 272474 },
    { "resnet18", "ImageNet; no figure was published", 11689512, large },
    { "resnet34", "ImageNet; no figure was published", 21797672, { eval_batch_size = 1024, epochs = 90 } },
  },
  resnet_preact = { cells = 3, presets = 5,
    { "quickstart", "Fashion-MNIST: below 8 %", 271994,
      { epochs = 5, schedule = "cosine", batch_size = 64, base_lr = 0.1, dataset = "fashion_mnist" } },
    { "paper", "6.47 % (reproduced), 6.37 % (in the paper)", 1730522,
      { epochs = 160, base_lr = 0.1, schedule = "multistep" } },
    { "bottleneck164", "5.90 % (reproduced), 5.46 % (in the paper)", 1619290 },
    { "bottleneck1001", "4.62 % (in the paper)", 9850906 },
    { "imagenet18", "ImageNet; no figure was published", 11687848, large },
  },
  resnext = { cells = 3, presets = 4,
    { "4x64d", "3.89 % (reproduced), 3.75 % (in the paper)", 17562442, { batch_size = 32, base_lr = 0.025 } },
    { "8x64d", "3.97 % (reproduced), 3.65 % (in the paper)", 34426698, { batch_size = 64, base_lr = 0.05 } },
    { "16x64d", "3.58 % (in the paper)", 68155210 },
    { "resnext50", "ImageNet; no figure was published", 25028904, large },
  },
  se_resnet_preact = { cells = 0, presets = 1,
    { "se110", "no figure was published", 1748792 },
  },
  shake_shake = { cells = 13, presets = 3,
    { "2x32d", "3.68 % (reproduced), 3.55 % (in the paper)", 2923162, { batch_size = 128, base_lr = 0.2 } },
    { "2x64d", "2.88 % (reproduced), 2.98 % (in the paper)", 11653978, { batch_size = 64, base_lr = 0.1 } },
    { "2x96d", "2.90 % (reproduced), 2.86 % (in the paper)", 26192922, { epochs = 1800, lr_min_factor = 0.0 } },
    { "64/dual_cutout", "2.64 %", 11653978, { dual_cutout = true, batch_size = 128, base_lr = 0.2 } },
    { "96/ricap", "2.10 %", 26192922, { ricap = true, random_crop = false, epochs = 1800 } },
    { "128/cutout", "2.58 %", 46539994, { cutout = true } },
    { "128/ricap", "1.97 %", 46539994 },
  },
  vgg = { cells = 1, presets = 2,
    { "vgg15", "7.29 % (one relu a stage)", 14728266, { epochs = 160 } },
    { "vgg16", "ImageNet; no figure was published", 138365992,
      { base_lr = 0.01, subdivision = 8, weight_decay = 5e-4 } },
  },
  weight_decay = { cells = 30, presets = 0,
    { "4096,all/weight_decay=5e-4", "10.81 %", preact20,
      { weight_decay = 5e-4, weight_decay_of = "all", base_lr = 1.6 } },
    { "1024,weights/weight_decay=3e-4", "7.92 %", preact20,
      { weight_decay = 3e-4, weight_decay_of = "weights", batch_size = 1024 } },
  },
  wrn = { cells = 14, presets = 2,
    { "28-10", "4.03 % (reproduced), 4.00 % (in the paper)", 36479194,
      { init_mode = "kaiming_fan_in", batch_size = 64 } },
    { "28-10-dropout", "3.89 % (in the paper)", 36479194, { drop_rate = 0.3, schedule = "multistep" } },
    { "cutout/epochs=200", "3.19 %", 36479194, cosine },
    { "mixup/epochs=400", "3.04 %", 36479194, { epochs = 400, mixup = true } },
    { "dual_cutout/epochs=400", "2.76 %", 36479194, { dual_cutout = true, batch_size = 128 } },
    { "ricap/epochs=200", "2.83 %", 36479194, { ricap = true, random_crop = false, weight_decay = 5e-4 } },
    { "ricap-1x512", "2.63 % (V100)", 36479194, { batch_size = 512, subdivision = 1, ricap = true } },
    { "ricap-8x64", "2.75 % (V100)", 36479194,
      { global_batch_size = 512, world_size = 8, base_lr = 0.2, epochs = 200 } },
  },
}

local function check_row(row, text, given)
  if not row then return end
  check.equal(text, row[2])
  check.equal(given.model:count(), row[3])
  check_options(given.options, row[4] or {})
end

-- As if so many processes trained together; something to close.
local function in_processes(count)
  processes.use { rank = function() return 0 end, size = function() return count end }
  return setmetatable({}, { __close = function() processes.use(nil) end })
end

-- A cell can be built, and its settings are known again.
local function check_cell(recipe, list, cell, row)
  local others <close> = in_processes(cell.values.world_size or 1)
  local given = given_to_fit(recipe, "--result", cell.name, "--data", "DIR", "--eval-batch-size", "8", "--seed",
    "7")
  check_options(given.options, cell.values)
  check.equal(given.train, sets[given.options.dataset])
  check.equal(results.cell(list, given.options), cell)
  check_row(row, results.text(cell), given)
end

-- A preset without a published figure says so, and can be built; others are cells.
local function check_preset(recipe, list, name, row)
  local preset = list.presets[name]
  if results.cell(list, preset.values) then
    check_options(list:read { "--preset", name }, preset.values)
    return
  end
  local given = given_to_fit(recipe, "--preset", name, "--data", "DIR")
  check_options(given.options, preset.values)
  check_row(row, preset.note, given)
end

local names = {}
for name in pairs(expected) do names[#names + 1] = name end
table.sort(names)

for _, recipe in ipairs(names) do
  local _, list = given_to_fit(recipe)
  local rows = {}
  for _, row in ipairs(expected[recipe]) do rows[row[1]] = row end
  for _, cell in ipairs(list.cells) do
    check(("%s --result %s"):format(recipe, cell.name), function() check_cell(recipe, list, cell, rows[cell.name]) end)
    rows[cell.name] = nil
    collectgarbage()
  end
  for _, name in ipairs(list.preset_order) do
    check(("%s --preset %s"):format(recipe, name), function() check_preset(recipe, list, name, rows[name]) end)
    rows[name] = nil
    collectgarbage()
  end
  check(recipe .. " has all results and presets", function()
    check.equal(#list.cells, expected[recipe].cells)
    check.equal(#list.preset_order, expected[recipe].presets)
    check.equal(next(rows), nil)
  end)
end

check("every recipe is in the table above", function()
  for _, name in ipairs(recipes.names()) do
    if not expected[name] then error(name .. " is not in the table", 0) end
  end
  check.equal(#recipes.names(), #names)
end)

check("--help, --list-presets and --list-results fit into 120 columns", function()
  for _, recipe in ipairs(names) do
    local _, options = given_to_fit(recipe)
    for line in (help.text(options) .. help.presets(options) .. results.tables(options, {})):gmatch "[^\n]+" do
      if #line > 120 then error(("%s: %s"):format(recipe, line), 0) end
    end
    collectgarbage()
  end
end)

check.close()
