-- test_fit.lua: icl.fit: its options, the sets it evaluates, what it refuses, and what it prints.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local header = require "icl.fit.header"
local parts = require "icl.fit.parts"
local usage = require "icl.internal.usage"

local function make_set(count, height, width)
  local bytes, labels = {}, {}
  for k = 1, count * height * width do bytes[k] = string.char(k * k % 251) end
  for k = 1, count do labels[k] = k % 2 end
  return icl.data.set { images = icl.tensor(table.concat(bytes), { dtype = "u8", shape = { count, height, width, 1 } }),
                        labels = icl.tensor(labels, { dtype = "i64" }), classes = 2, mean = { 0.5 }, std = { 0.2 } }
end

local set, other = make_set(12, 4, 4), make_set(6, 4, 4)

local function small_model()
  local nn = icl.nn
  return nn.sequential { nn.conv2d(1, 2, 3), nn.batch_norm(2), nn.relu(), nn.global_avg_pool(), nn.linear(2, 2) }
end

-- Trains for an epoch; `options` and `more` are added to what it is given. -> figures, what was printed
local function fit(options, more)
  local all = { epochs = 1, batch_size = 4, schedule = "cosine", random_crop = false }
  for name, value in pairs(options or {}) do all[name] = value end
  local given = { model = small_model(), train = set, options = all }
  for name, value in pairs(more or {}) do given[name] = value end
  local file, stdout = io.tmpfile(), io.stdout
  io.stdout = file
  local restore <close> = setmetatable({}, { __close = function() io.stdout = stdout end })
  local figures = icl.fit(given)
  file:seek "set"
  return figures, file:read "a"
end

local function contains(text, ...)
  for _, part in ipairs { ... } do
    if not text:find(part, 1, true) then error(("'%s' is not in:\n%s"):format(part, text), 2) end
  end
end

check("unknown options are errors, with what was meant", function()
  check.raises(function() fit { epoch = 3 } end, "options: there is no option 'epoch' %(did you mean epochs%?%)")
  check.raises(function() fit { weight_decy = 3 } end, "did you mean weight_decay")
  check.raises(function() fit { [1] = 3 } end, "there is no option '1'")
end)

check("options are checked as those of a command line", function()
  check.raises(function() fit { epochs = "3" } end, "options: epochs is 3; it must be an integer")
  check.raises(function() fit { base_lr = -1 } end, "base_lr is %-1; it must be at least 0")
  check.raises(function() fit { schedule = "cosin" } end, "did you mean cosine")
  check.raises(function() fit { mixup = true, cutmix = true } end, "mixup and cutmix exclude each other")
  check.raises(function() fit { schedule = "sgdr", epochs = 25 } end, "add up to 30 epochs, not 25; choose epochs")
end)

check("options of a model, and those of a recipe from its command line, may be there", function()
  fit { depth = 8, initial_channels = 4 }
  local opt = icl.options "x":value("own", 1, ""):include(icl.options.training, icl.options.data,
    icl.options.augmentation)
  local values, origin = opt:read { "--epochs", "1", "--batch-size", "4" }
  check.raises(function() icl.fit { model = small_model(), train = set, options = values, quiet = true } end, "'own'")
  origin.program = "x"
  usage.remember(values, origin)
  icl.fit { model = small_model(), train = set, options = values, quiet = true }
  values.epoch = 2
  check.raises(function() icl.fit { model = small_model(), train = set, options = values, quiet = true } end, "'epoch'")
end)

check("a seed in a table written by hand acts", function()
  local function loss(seed)
    icl.random.seed(9)
    return fit({ seed = seed, mixup = true, batch_size = 3 }, { model = small_model() }).train.loss
  end
  local first = loss(1)
  check.equal(loss(1), first)
  check.equal(loss(2) == first, false)
  check.equal(icl.random.current_seed(), 2)
end)

check("so do the options of the engine where they say what is in force, or else why they cannot", function()
  local core = require "icl.core"
  fit { device = "cpu", threads = core.threads(), eager = false, check_nan = false }
  check.raises(function() fit { device = "ref" } end, "device 'ref' is not what the first tensor or state was made")
  check.raises(function() fit { threads = core.threads() + 7 } end, "threads %d+ is not what the first tensor")
  check.raises(function() fit { check_nan = true } end, "check_nan true is not what .*only be set before that")
end)

check("validation after each epoch, the test set once", function()
  local figures, text = fit({ epochs = 2 }, { val = other, test = set })
  check.equal(figures.val ~= nil and figures.test ~= nil, true)
  check.equal(select(2, text:gsub("Val loss", "")), 2)
  check.equal(select(2, text:gsub("Test loss", "")), 1)
  contains(text, "\nTest loss", "Validation error", "Test error", "12 training, 6 validation, 12 test images")
  figures, text = fit({ epochs = 2 }, { test = other })
  check.equal(figures.val, nil)
  check.equal(select(2, text:gsub("Test loss", "")), 2)
  contains(text, "12 training, 6 test images", "Test error")
  check.equal(text:find "Val", nil)
  figures, text = fit({ use_test_as_val = false }, { test = other })
  contains(text, "\nTest loss", "Test error")
  local part = setmetatable({ is_validation = true }, { __index = other })
  figures, text = fit({}, { test = part })
  check.equal(figures.val ~= nil and figures.test == nil, true)
  check.equal(text:find "Test", nil)
  figures, text = fit({}, { val = other })
  check.equal(figures.test, nil)
  contains(text, "Val loss", "Validation error")
  check.equal(text:find "Test", nil)
  check.equal(select(2, fit()):find "error", nil)
end)

check("it begins with what is trained, on what and how", function()
  icl.random.seed(5)
  local _, text = fit({ base_lr = 1e-7, schedule = "multistep", epochs = 2, lr_decay = 0.5 }, { test = other })
  contains(text, "Data: own, 12 training, 6 test images of 4 x 4 x 1, 2 classes",
    "Model: sequential, 28 parameters, 292 multiply-accumulates an image", "threads", "seed 5",
    "--base-lr 1e-07", "--lr-decay 0.5", "--batch-size 4", "--no-random-crop",
    "Note: milestones at 1,1.5 of 2 epochs, moved from 80,120 of 160", "\nEpoch 1 lr 1e-07 loss")
  check.equal(text:find "nesterov", nil)
  local _, quiet = fit({}, { quiet = true })
  check.equal(quiet, "")
end)

check("a line of options keeps each with its value", function()
  local changed = {}
  for _, name in ipairs { "base_lr", "momentum", "lr_decay", "weight_decay", "label_smoothing", "gradient_clip" } do
    changed[name] = 0.123456789
  end
  for _, line in ipairs(header.lines({ given = changed, notes = {}, train = set, model = {} }, nil)) do
    check.equal(#line <= 120, true)
    check.equal(line:find "%-%-[%a-]+$", nil)
  end
end)

check("the smallest part of a batch", function()
  local function smallest(count, batch_size, subdivision, drop_last)
    return parts.smallest(count, { batch_size = batch_size, subdivision = subdivision, drop_last = drop_last })
  end
  check.equal(smallest(12, 4, 1, true), 4)
  check.equal(smallest(13, 4, 1, true), 4)
  check.equal(smallest(13, 4, 1, false), 1)
  check.equal(smallest(12, 4, 4, true), 1)
  check.equal(smallest(12, 6, 4, true), 2)
  check.equal(smallest(7, 7, 3, true), 1)
  check.equal(smallest(5, 8, 1, false), 5)
end)

check("batch norm of a single value is refused before the first step", function()
  local pixels = make_set(13, 1, 1)
  local function train(options, model)
    local steps = 0
    local ok, message = pcall(fit, options, { train = pixels, model = model, loss = function(logits, target)
      steps = steps + 1
      return icl.loss.cross_entropy(logits, target)
    end })
    if ok then return nil end
    check.equal(steps, 0)
    return message
  end
  contains(train { drop_last = false }, "icl.fit: batch norm 1 would see one value", "13 images, batch_size 4",
    "drop_last off")
  contains(train { subdivision = 4 }, "subdivision 4")
  check.equal(train(), nil)
  check.equal(train { batch_size = 5, drop_last = false }, nil)
  check.equal(train({ drop_last = false }, icl.nn.sequential { icl.nn.global_avg_pool(), icl.nn.linear(1, 2) }), nil)
  check.equal(select(2, fit({ drop_last = false }, { train = make_set(13, 4, 4) })) ~= nil, true)
end)

check.close()
