-- test_recipes.lua: the recipes in recipes/ with each of their presets, as far as the call of icl.fit.
local folder = arg[0]:match "^(.*/)" or "./"
local check = dofile(folder .. "check.lua")
local core = require "icl.core"
local icl = require "icl"

local recipes = folder .. "../../recipes/"
local set = { shape = { 32, 32, 3 }, classes = 10 }

-- First weights are of no interest here, and large models are made faster of zeros.
icl.nn.initial.kaiming = function(shape) return core.full(shape, 0) end

-- What a recipe hands to icl.fit with these words on the command line, and its list of options; data sets are not read.
local function given_to_fit(name, ...)
  local given, declared
  local library = setmetatable({
    data = { open = function() return set, set, set end },
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
  assert(loadfile(recipes .. name, "t", environment))()
  return given, declared
end

-- { recipe, { preset, parameters, options that it must set }, ... }
local expected = {
  { "batch_size", { "batch4096", 272282, { base_lr = 3.2, schedule = "cosine" } }, { "batch2048", 272282 },
    { "batch1024", 272282 }, { "batch512", 272282 }, { "batch256", 272282 }, { "batch128", 272282 },
    { "batch64", 272282 }, { "batch32", 272282 }, { "batch16", 272282 }, { "batch8", 272282, { batch_size = 8 } } },
  { "densenet", { "100-12", 7083538 }, { "100-24", 28071706 }, { "bc-100-12", 769162, { batch_size = 32 } },
    { "bc-250-24", 15324406, { epochs = 300 } }, { "bc-190-40", 25624430 } },
  { "pyramidnet", { "110-84", 3904446 }, { "110-270", 28485477 }, { "164-270", 27216021 },
    { "272-200", 26210842, { epochs = 300 } } },
  { "resnet", { "resnet110", 1730714, { epochs = 160, base_lr = 0.1, schedule = "multistep", weight_decay = 1e-4 } },
    { "resnet56", 855770 }, { "resnet20", 272474 } },
  { "resnet_preact", { "quickstart", 272282, { epochs = 5, schedule = "cosine" } },
    { "paper", 1730522, { epochs = 160, base_lr = 0.1, schedule = "multistep" } }, { "bottleneck164", 1619290 },
    { "plain", 272282, { epochs = 200 } }, { "wide", 4326986 }, { "fashion", 272282 },
    { "mnist", 272282, { epochs = 100 } } },
  { "residual_unit", { "A", 855578, { base_lr = 0.2, epochs = 160 } }, { "B", 855578 }, { "C", 855578 },
    { "D", 857594 }, { "E", 857594, { remove_first_relu = true } }, { "F", 857594, { schedule = "multistep" } } },
  { "resnext", { "4x64d", 17562442, { base_lr = 0.025 } }, { "8x64d", 34426698, { weight_decay = 5e-4 } },
    { "16x64d", 68155210 } },
  { "se_resnet_preact", { "se110", 1748792, { epochs = 160 } } },
  { "shake_shake", { "2x32d", 2923162, { batch_size = 128, base_lr = 0.2 } },
    { "2x64d", 11653978, { batch_size = 64 } }, { "2x96d", 26192922, { epochs = 1800, lr_min_factor = 0.0 } } },
  { "vgg", { "vgg15", 14728266, { epochs = 160 } } },
  { "wrn", { "28-10", 36479194, { init_mode = "kaiming_fan_in", lr_decay = 0.2 } },
    { "28-10-dropout", 36479194, { drop_rate = 0.3 } } },
}

for _, row in ipairs(expected) do
  for k = 2, #row do
    local preset, parameters, values = table.unpack(row[k])
    check(("%s --preset %s"):format(row[1], preset), function()
      local given = given_to_fit(row[1] .. ".lua", "--preset", preset)
      check.equal(given.model:count(), parameters)
      check.equal(given.train, set)
      for name, value in pairs(values or {}) do check.equal(given.options[name], value) end
      collectgarbage()
    end)
  end
end

check("every preset is in the table above", function()
  for _, row in ipairs(expected) do
    local _, options = given_to_fit(row[1] .. ".lua")
    local names = {}
    for k = 2, #row do names[k - 1] = row[k][1] end
    check.equal(table.concat(options.preset_order, " "), table.concat(names, " "))
    collectgarbage()
  end
end)

check("recipes are short", function()
  for _, row in ipairs(expected) do
    local lines = 0
    for _ in io.lines(recipes .. row[1] .. ".lua") do lines = lines + 1 end
    check.equal(lines <= 20, true)
  end
end)

check.close()
