-- test_recipes.lua: the recipes in recipes/ with each of their presets, as far as the call of icl.fit.
local folder = arg[0]:match "^(.*/)" or "./"
local check = dofile(folder .. "check.lua")
local core = require "icl.core"
local icl = require "icl"
local help = require "icl.options.help"
local shown = help.shown

local recipes = folder .. "../../recipes/"
local sets = {
  cifar10 = { shape = { 32, 32, 3 }, classes = 10 },
  fashion_mnist = { shape = { 28, 28, 1 }, classes = 10 },
  imagenet = { shape = { 224, 224, 3 }, classes = 1000, form = "imagenet" },
}
sets.mnist, sets.kmnist = sets.fashion_mnist, sets.fashion_mnist

-- First weights are of no interest here, and large models are made faster of zeros.
icl.nn.initial.kaiming = function(shape) return core.full(shape, 0) end

-- What a recipe hands to icl.fit with these words on the command line, and its list of options; data sets are not read.
local function given_to_fit(name, ...)
  local given, declared
  local library = setmetatable({
    data = { open = function(opt) return sets[opt.dataset], sets[opt.dataset], sets[opt.dataset] end },
    fit = function(values) given = values end,
    options = setmetatable({}, { __index = icl.options, __call = function(_, title)
      declared = icl.options(title)
      return declared
    end }),
  }, { __index = icl })
  local environment = setmetatable({
    arg = { [0] = name, ... },
    require = function(module) return module == "icl" and library or require(module) end,
  }, { __index = _G })
  assert(loadfile(recipes .. name .. ".lua", "t", environment))()
  return given, declared
end

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

-- ---- presets ----

local preact20, wide20, preact56 = 272282, 4326986, 855578
local cosine = { schedule = "cosine", base_lr = 0.2, epochs = 200 }
local large = { dataset = "imagenet", batch_size = 256, base_lr = 0.1, weight_decay = 1e-4, epochs = 90,
                schedule = "multistep", milestones = { 30, 60 }, lr_decay = 0.1, image_size = 224 }

-- Of each recipe: how many presets there are, and some of them: { name, note, parameters, options }.
local expected = {
  batch_size = { 40, { "batch4096", "10.57 %", preact20, { base_lr = 3.2, batch_size = 4096, schedule = "cosine",
                                                            epochs = 200 } },
    { "batch4096-multistep", "28.97 %", preact20, { schedule = "multistep", epochs = 200, milestones = { 80, 120 } } },
    { "batch8", "7.70 %", preact20, { base_lr = 0.006125, batch_size = 8 } },
    { "batch64-400", "7.17 %", preact20, { base_lr = 0.05, epochs = 400 } },
    { "batch128-800", "6.68 %", preact20, { batch_size = 128, epochs = 800 } } },
  densenet = { 6, { "100-12", "3.87 %; in the paper 4.10 %", 7083538, { block_type = "basic", epochs = 300 } },
    { "100-24", "in the paper 3.74 %", 28071706 }, { "bc-100-12", "4.69 %; in the paper 4.51 %", 769162,
                                                     { batch_size = 32, base_lr = 0.05 } },
    { "bc-250-24", "in the paper 3.62 %", 15324406 }, { "bc-190-40", "in the paper 3.46 %", 25624430 },
    { "densenet121", "ImageNet; no figure.*", 7978856, large } },
  fashion_mnist = { 22, { "preact20", "5.04 %", 271994, cosine },
    { "preact20-cutout6", "4.84 %", 271994, { cutout = true, cutout_size = 6, dataset = "fashion_mnist" } },
    { "preact20-cutout16", "4.49 %", 271994, { cutout_size = 16 } },
    { "preact20-erasing", "4.61 %", 271994, { random_erasing = true, cutout = false } },
    { "preact20-mixup-400", "4.64 %", 271994, { mixup = true, epochs = 400 } },
    { "preact20-wide-cutout12", "4.17 %", 4325834, { cutout_size = 12 } },
    { "preact50-cutout14", "4.38 %", 758074 }, { "preact50-wide-cutout14", "4.13 %", 12076234 },
    { "2x32d-cutout12", "4.08 %", 2922874, { epochs = 400, cutout = true } },
    { "2x96d-800-cutout14", "3.60 %", 26192634, { epochs = 800, base_lr = 0.2 } } },
  ghost_batch = { 15, { "batch8192-200", "11.51 %", preact20, { subdivision = 64, batch_size = 8192, base_lr = 1.6 } },
    { "batch4096-1600", "8.95 %", preact20, { subdivision = 32, epochs = 1600, schedule = "cosine" } },
    { "batch1024-whole-1600", "6.94 %", preact20, { subdivision = 1, batch_size = 1024 } } },
  kmnist = { 4, { "preact20", "0.82 %", 271994, { cutout = true, cutout_size = 14, base_lr = 0.2, epochs = 200 } },
    { "preact20-wide", "0.72 %", 4325834, { dataset = "kmnist" } }, { "pyramid110-270", "0.72 %", 28485189 },
    { "2x96d", "0.66 %", 26192634, { schedule = "cosine", epochs = 200 } } },
  lars = { 27, { "batch4096-lr0.02", "8.21 %", preact20, { optimizer = "lars", base_lr = 0.02, batch_size = 4096 } },
    { "batch128-lr0.00125", "9.21 %", preact20, { schedule = "cosine", epochs = 200 } },
    { "batch512-lr0.0075", "7.58 %", preact20, { base_lr = 0.0075 } },
    { "batch4096-lr0.02-1600", "7.37 %", preact20, { epochs = 1600, optimizer = "lars" } } },
  learning_rate = { 38, { "batch4096-lr1.6", "10.32 %", preact20, { batch_size = 4096, base_lr = 1.6, epochs = 200 } },
    { "batch2048-lr0.8", "9.62 %", preact20 }, { "batch1024-lr1.2", "8.25 %", preact20, { batch_size = 1024 } },
    { "batch128-lr0.025", "10.07 %", preact20, { base_lr = 0.025 } },
    { "batch32-lr0.1", "7.25 %", preact20, { batch_size = 32, schedule = "cosine" } } },
  long_training = { 16, { "batch2048-6400", "7.45 %", preact20, { base_lr = 1.6, epochs = 6400 } },
    { "batch128-1600", "6.64 %", preact20, { base_lr = 0.4, batch_size = 128, schedule = "cosine" } } },
  mnist = { 13, { "preact20", "0.40 %", 271994, { dataset = "mnist", epochs = 100, base_lr = 0.2, cutout = false } },
    { "preact20-cutout6", "0.32 %", 271994, { cutout_size = 6, cutout = true } },
    { "preact20-mixup0.5", "0.38 %", 271994, { mixup = true, mixup_alpha = 0.5 } },
    { "preact50-wide-cutout14", "0.25 %", 12076234 }, { "2x96d-cutout14", "0.24 %", 26192634, { epochs = 100 } } },
  precision = { 14, { "f32-4096", "10.32 %, on a V100 9.88 %", preact20, { base_lr = 1.6, precision = "f32" } },
    { "bf16-8192", "11.78 %, on a V100 11.92 % with f16", preact20, { precision = "bf16", batch_size = 8192 } },
    { "bf16-128", "7.37 % with f16", preact20, { base_lr = 0.4, schedule = "cosine", epochs = 200 } } },
  pyramidnet = { 5, { "110-84", "4.40 %; in the paper 4.26 %", 3904446 },
    { "110-270", "3.92 %; in the paper 3.73 %", 28485477, { epochs = 300 } },
    { "164-270", "3.44 %; in the paper 3.48 %", 27216021 }, { "272-200", "in the paper 3.31 %", 26210842 },
    { "pyramidnet200", "ImageNet; no figure.*", 62368168,
      { batch_size = 128, base_lr = 0.05, epochs = 120, milestones = { 60, 90, 105 }, weight_decay = 1e-4 } } },
  regularization = { 25, { "plain-200", "7.60 %", preact20, cosine }, { "plain-400", "7.05 %", preact20 },
    { "smoothing0.01-200", "7.21 %", preact20, { label_smoothing = 0.01 } },
    { "mixup-400", "6.66 %", preact20, { mixup = true, epochs = 400 } },
    { "ricap-200", "6.77 %", preact20, { ricap = true, ricap_beta = 0.3, random_crop = false } },
    { "ricap-crop-400", "6.30 %", preact20, { ricap = true, random_crop = true } },
    { "dual-cutout-200", "6.24 %", preact20, { dual_cutout = true, cutout_size = 16, dual_cutout_alpha = 0.1 } },
    { "wide-1800", "3.99 %", wide20, { epochs = 1800, base_lr = 0.2 } },
    { "wide-cutout-400", "3.46 %", wide20, { cutout = true, cutout_size = 16 } },
    { "wide-ricap-1800", "3.15 %", wide20, { ricap = true, random_crop = false } } },
  residual_unit = { 10, { "A", "6.45 %.*", preact56, { base_lr = 0.2, epochs = 160, schedule = "multistep" } },
    { "B", "6.47 %.*", preact56 }, { "C", "6.14 %.*", preact56 }, { "D", "6.43 %.*", 857594 },
    { "E", "5.85 %.*", 857594, { remove_first_relu = true, add_last_bn = true } }, { "F", "6.27 %.*", 857594 },
    { "E-cosine", "5.72 %", 857594, { schedule = "cosine", epochs = 160 } },
    { "E-cutout", "4.96 %", 857594, { cutout = true, cutout_size = 16 } },
    { "E-erasing", "5.22 %", 857594, { random_erasing = true } },
    { "E-mixup", "5.11 %", 857594, { mixup = true, epochs = 300 } } },
  resnet = { 5, { "resnet110", "6.52 %; in the paper 6.43 %", 1730714 }, { "resnet56", "in the paper .*", 855770 },
    { "resnet20", "in the paper .*", 272474 },
    { "resnet18", "ImageNet; no figure.*", 11689512, large },
    { "resnet34", "ImageNet; no figure.*", 21797672, { eval_batch_size = 1024, epochs = 90 } } },
  resnet_preact = { 5, { "quickstart", "Fashion.*", 271994, { epochs = 5, schedule = "cosine", batch_size = 64,
                                                               base_lr = 0.1, dataset = "fashion_mnist" } },
    { "paper", "6.47 %; in the paper 6.37 %", 1730522, { epochs = 160, base_lr = 0.1, schedule = "multistep" } },
    { "bottleneck164", "5.90 %; in the paper 5.46 %", 1619290 }, { "bottleneck1001", "in the paper 4.62 %", 9850906 },
    { "imagenet18", "ImageNet; no figure.*", 11687848, large } },
  resnext = { 4, { "4x64d", "3.89 %; in the paper 3.75 %", 17562442, { batch_size = 32, base_lr = 0.025 } },
    { "8x64d", "3.97 %; in the paper 3.65 %", 34426698, { batch_size = 64, base_lr = 0.05 } },
    { "16x64d", "in the paper 3.58 %", 68155210 },
    { "resnext50", "ImageNet; no figure.*", 25028904, large } },
  se_resnet_preact = { 1, { "se110", "no figure.*", 1748792 } },
  shake_shake = { 13, { "2x32d", "3.68 %; in the paper 3.55 %", 2923162, { batch_size = 128, base_lr = 0.2 } },
    { "2x64d", "2.88 %; in the paper 2.98 %", 11653978, { batch_size = 64, base_lr = 0.1 } },
    { "2x96d", "2.90 %; in the paper 2.86 %", 26192922, { epochs = 1800, lr_min_factor = 0.0 } },
    { "2x64d-dual-cutout", "2.64 %", 11653978, { dual_cutout = true, batch_size = 128, base_lr = 0.2 } },
    { "2x96d-ricap", "2.10 %", 26192922, { ricap = true, random_crop = false, epochs = 1800 } },
    { "2x128d-cutout", "2.58 %", 46539994, { cutout = true } }, { "2x128d-ricap", "1.97 %", 46539994 } },
  vgg = { 2, { "vgg15", "7.29 %.*", 14728266, { epochs = 160 } },
    { "vgg16", "ImageNet; no figure.*", 138365992, { base_lr = 0.01, subdivision = 8, weight_decay = 5e-4 } } },
  weight_decay = { 30, { "batch4096-5e-4", "10.81 %", preact20,
      { weight_decay = 5e-4, weight_decay_of = "all", base_lr = 1.6 } },
    { "batch1024-no-bn-3e-4", "7.92 %", preact20,
      { weight_decay = 3e-4, weight_decay_of = "weights", batch_size = 1024 } } },
  wrn = { 14, { "28-10", "4.03 %; in the paper 4.00 %", 36479194, { init_mode = "kaiming_fan_in", batch_size = 64 } },
    { "28-10-dropout", "in the paper 3.89 %", 36479194, { drop_rate = 0.3, schedule = "multistep" } },
    { "cutout-200", "3.19 %", 36479194, cosine }, { "mixup-400", "3.04 %", 36479194, { epochs = 400, mixup = true } },
    { "dual-cutout-400", "2.76 %", 36479194, { dual_cutout = true, batch_size = 128 } },
    { "ricap-200", "2.83 %", 36479194, { ricap = true, random_crop = false, weight_decay = 5e-4 } },
    { "ricap-1x512", "2.63 %", 36479194, { batch_size = 512, subdivision = 1, ricap = true } },
    { "ricap-8x64", "2.75 %", 36479194, { batch_size = 512, subdivision = 8, base_lr = 0.2, epochs = 200 } } },
}

-- A preset of a recipe can be built and has a figure; `row` is what the table says of it, or nil.
local function check_preset(recipe, name, preset, row)
  if not preset.note:find "%d %%" and not preset.note:find "no figure" then error("the note is " .. preset.note, 0) end
  local given = given_to_fit(recipe, "--preset", name, "--data", "DIR")
  check_options(given.options, preset.values)
  check.equal(given.train, sets[given.options.dataset])
  if not row then return end
  local pattern = "^" .. row[2]:gsub("[%%%-]", "%%%0") .. "$"
  if not preset.note:find(pattern) then error("the note is " .. preset.note, 0) end
  check.equal(given.model:count(), row[3])
  check_options(given.options, row[4] or {})
end

local names = {}
for name in pairs(expected) do names[#names + 1] = name end
table.sort(names)

for _, recipe in ipairs(names) do
  local _, options = given_to_fit(recipe)
  local rows = {}
  for k = 2, #expected[recipe] do rows[expected[recipe][k][1]] = expected[recipe][k] end
  for _, name in ipairs(options.preset_order) do
    check(("%s --preset %s"):format(recipe, name), function()
      check_preset(recipe, name, options.presets[name], rows[name])
    end)
    rows[name] = nil
    collectgarbage()
  end
  check(recipe .. " has all presets", function()
    check.equal(#options.preset_order, expected[recipe][1])
    check.equal(next(rows), nil)
  end)
end

check("every recipe is in the table above, and is short", function()
  local listing, count = io.popen(("ls -1 '%s'"):format(recipes)), 0
  for file in listing:lines() do
    local name, lines = file:match "^(.*)%.lua$", 0
    if name then
      if not expected[name] then error(name .. " is not in the table", 0) end
      for _ in io.lines(recipes .. file) do lines = lines + 1 end
      check.equal(lines <= 22, true)
      count = count + 1
    end
  end
  listing:close()
  check.equal(count, #names)
end)

check("--help and --list-presets fit into 120 columns", function()
  for _, recipe in ipairs(names) do
    local _, options = given_to_fit(recipe)
    for line in (help.text(options) .. help.presets(options)):gmatch "[^\n]+" do
      if #line > 120 then error(("%s: %s"):format(recipe, line), 0) end
    end
    collectgarbage()
  end
end)

check.close()
