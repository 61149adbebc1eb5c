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
  check.raises(function() fit { device = "ref" } end, "device 'ref' is not in force, and it can only be set before")
  check.raises(function() fit { threads = core.threads() + 7 } end, "threads %d+ is not in force")
  check.raises(function() fit { check_nan = true } end, "check_nan true is not in force")
end)

check("an option that means nothing without another is an error in a table, too", function()
  check.raises(function() fit { mixup_alpha = 2 } end, "options: mixup_alpha = 2.0 means nothing without mixup = true$")
  check.raises(function() fit { milestones = { 3 } } end, "milestones = 3 means nothing without schedule = multistep")
  check.raises(function() fit { ema_warmup = true } end, "ema_warmup = true means nothing without an ema above 0")
  check.raises(function() fit { cutout_size = 2 } end, "cutout_size = 2 means .* cutout = true or dual_cutout = true")
  check.raises(function() fit { warmup = "linear" } end, "warmup = linear means nothing without warmup_epochs")
  check.raises(function() icl.augment.random_crop { fill = 3, padding_mode = "edge" } end,
    "random_crop: fill = 3 means nothing without padding_mode = constant")
  check.raises(function() icl.models.resnet { expand_first_stage = true } end, "means nothing without block_type bot")
  fit { mixup_alpha = 1, mixup = false }
  fit { crop_area = { 0.5, 1 }, random_crop = true, mixup = false }
  check.raises(function() fit { dataset = "mnist", crop_area = { 0.5, 1 }, random_crop = true } end,
    "crop_area = 0.5,1 means nothing without random_crop of an image folder")
end)

check("what a preset left of a command line may mean nothing", function()
  local list = icl.options "x":include(icl.options.augmentation, icl.options.runtime):preset("p", { crop_fill = 3 })
  local values, origin = list:read { "--preset", "p", "--crop-padding-mode", "edge" }
  origin.program = "x"
  usage.remember(values, origin)
  check.equal(type(icl.augment.from_options(values, set, { training = true })), "table")
  fit { mixup_alpha = 2, mixup = true }
end)

-- What a loss sees of the first batch: its images as text.
local function first_images(more)
  local seen
  more.model = icl.nn.sequential { icl.nn.layer "look" (), icl.nn.flatten(), icl.nn.linear(16, 2) }
  more.model[1].forward = function(_, x)
    if not seen and x:size(1) == 4 then seen = table.concat(x:reshape(-1):totable(), " ") end
    return x
  end
  fit({ hflip = false }, more)
  return seen
end

check("a chain and a loader of one's own", function()
  local augment = icl.augment
  local chain = augment.chain { augment.normalize {}, function(batch) batch.image = batch.image * 0 + 7 end }
  check.equal(first_images { chain = chain }:match "^7.0 7.0 7.0" ~= nil, true)
  local loader, steps = icl.data.loader(set, { batch_size = 6, training = true, chain = chain }), 0
  local function count() steps = steps + 1 end
  fit({}, { loader = loader, on_step = count })
  check.equal(steps, 2)
  icl.fit { loader = loader, model = small_model(), options = { epochs = 2 }, on_step = count, quiet = true }
  check.equal(steps, 6)
  check.raises(function() fit({}, { loader = loader, chain = chain }) end, "the loader has a chain already")
  check.raises(function() fit({}, { loader = loader, train = other }) end, "the loader is one of another set than")
  check.raises(function() fit({}, { loader = set }) end, "loader is a table; it must be icl.data.loader")
  check.raises(function() fit({}, { loader = icl.data.loader(set) }) end, "one for evaluation; make it with training")
  check.raises(function() fit({}, { chain = 3 }) end, "chain is 3")
  check.raises(function() icl.fit { model = small_model() } end, "icl.fit: it needs a set, train, or a loader")
  check.raises(function() fit({ subdivision = 7 }, { loader = loader }) end, "more than the images .* batch_size 6")
end)

check("options of a command line that nothing reads are errors", function()
  local function train(words, given)
    local list = icl.options "x":include(icl.options.data, icl.options.augmentation, icl.options.training)
    local opt = list:parse(words)
    given.model, given.train, given.options, given.quiet = given.model or small_model(), set, opt, true
    icl.fit(given)
  end
  local function raises(words, given, message)
    table.move({ "--epochs", "1", "--batch-size", "4" }, 1, 4, #words + 1, words)
    check.raises(function() train(words, given) end, message)
  end
  local model = small_model()
  raises({ "--momentum", "0.5", "--wd", "1" }, { model = model, optimizer = icl.optim.sgd(model) },
    "icl.fit: %-%-momentum, %-%-weight%-decay have no effect: nothing has read them before icl.fit, which was given "
    .. "an optimizer$")
  raises({ "--base-lr", "2", "--scale-lr", "9" }, { schedule = function() return 0.1 end },
    "%-%-base%-lr, %-%-scale%-lr have no effect: .* was given a schedule$")
  raises({ "--label-smoothing", "0.1" }, { loss = icl.loss.cross_entropy }, "%-%-label%-smoothing has .* given a loss$")
  raises({ "--vflip" }, { chain = icl.augment.chain { icl.augment.normalize {} } }, "%-%-vflip has .* given a chain$")
  raises({ "--no-drop-last" }, { loader = icl.data.loader(set, { batch_size = 4, training = true }) },
    "%-%-batch%-size, %-%-drop%-last have no effect: .* given a loader$")
  raises({ "--dataset", "mnist" }, {}, "%-%-dataset has no effect: nothing has read it before icl.fit$")
  raises({ "--eval-batch-size", "2" }, {}, "%-%-eval%-batch%-size has no effect")
end)

check("those that are read, or have their default, are none; of a table written by hand a warning tells", function()
  local list = icl.options "x":include(icl.options.data, icl.options.augmentation, icl.options.training)
  local opt = list:parse { "--epochs", "1", "--batch-size", "4", "--momentum", "0.5", "--label-smoothing", "0.1",
                           "--milestones", "80,120", "--ema", "0.9", "--val-period", "2", "--tta", "flip",
                           "--eval-batch-size", "3", "--subdivision", "2", "--vflip", "--as-published" }
  local model = small_model()
  icl.fit { model = model, train = set, test = other, options = opt, quiet = true,
            optimizer = icl.optim.sgd(model, { momentum = opt.momentum }) }
  local _, text = fit({ momentum = 0.5, dataset = "mnist" }, { model = model, optimizer = icl.optim.sgd(model) })
  contains(text, "Warning: icl.fit: options: momentum has no effect: nothing has read it before icl.fit, which was "
    .. "given an optimizer\n")
end)

check("a figure may decide which epoch is the best", function()
  local best
  fit({ epochs = 2 }, { test = other, best = "test.half", metrics = { half = function() return 0.5 end },
                        on_epoch = function(run) best = run.best end })
  check.equal(("%s %g %d"):format(best.name, best.value, best.epoch), "test.half 0.5 1")
  check.raises(function() fit({}, { best = 3 }) end, "best is 3; it is a figure of reports")
end)

check("metrics are logged and evaluated beside the others", function()
  local metrics = { half = function() return 0.5 end, second = function(logits, target)
    return icl.metrics.accuracy(logits, target, 2)
  end }
  for _, options in ipairs { {}, { subdivision = 3 }, { dual_cutout = true, cutout_size = 2 } } do
    local figures, text = fit(options, { metrics = metrics, test = other })
    check.near(figures.train.half, 0.5, 1e-6)
    check.near(figures.train.second, 1, 1e-6)
    check.equal(figures.test.second, 1)
    contains(text, " half 0.5 second 1 Test loss", "half 0.5 second 1 Elapsed")
  end
  check.raises(function() fit({}, { metrics = { loss = print } }) end, "icl.fit: metrics: there is a loss already")
end)

check("functions of one's own are called after each step and each epoch", function()
  local log = {}
  local figures = fit({ epochs = 2 }, { test = other,
    on_step = function(run, values)
      log[#log + 1] = ("step %d %d"):format(run.step, run.epoch)
      check.equal(math.type(values.loss) == "float" and math.type(values.lr) == "float" and values.top5, 1.0)
      check.equal(icl.ops.add(1, 1):item(), 2)
    end,
    on_epoch = function(run, result)
      log[#log + 1] = "epoch " .. run.epoch
      check.equal(result.train ~= nil and result.test ~= nil, true)
      check.near(icl.evaluate(run.epoch == 1 and small_model() or small_model(), other).count, 6, 0)
    end })
  check.equal(table.concat(log, ", "), "step 1 1, step 2 1, step 3 1, epoch 1, step 4 2, step 5 2, step 6 2, epoch 2")
  check.equal(figures.test.count, 6)
  check.raises(function() fit({}, { on_step = 3 }) end, "on_step is 3; it must be a function")
  check.raises(function() fit({}, { on_setp = print }) end, "did you mean on_step")
  check.raises(function() fit({}, { schedule = 0.1 }) end, "schedule is 0.1; it must be a function")
  check.raises(function() fit({}, { optimizer = icl.optim.sgd }) end, "optimizer is a function; .* one of icl.optim")
end)

check("an optimizer, a schedule and a loss of one's own", function()
  local rates, model = {}, small_model()
  local optimizer = { step = function(_, rate)
    rates[#rates + 1] = rate
    for _, state in ipairs(model:parameters()) do state:clear_grad() end
  end }
  local before = model[5].weight:bytes()
  fit({}, { model = model, optimizer = optimizer, schedule = function(step) return step / 2 end,
            loss = function(logits) return logits:sum() * 0 end })
  check.equal(table.concat(rates, " "), "0.0 0.5 1.0")
  check.equal(model[5].weight:bytes() == before, true)
  check.raises(function() fit({}, { loss = function() return 5 end }) end,
    "icl.fit: what loss gives is 5; it must be a tensor")
end)

check("a loss of one's own is given the batch; one of icl.loss is not", function()
  local counts = {}
  fit({ subdivision = 2 }, { loss = function(logits, target, batch)
    counts[#counts + 1] = ("%d/%d"):format(batch.index:size(1), batch.whole_count)
    return icl.loss.cross_entropy(logits, target) + 0 * batch.image:sum()
  end })
  check.equal(table.concat(counts, " "), "2/4 2/4 2/4 2/4 2/4 2/4")
  for _, name in ipairs { "cross_entropy", "focal" } do
    check.equal(fit({}, { loss = icl.loss[name] }).train.loss > 0, true)
  end
end)

check("a model returns logits, or in training a list of them", function()
  local Heads = icl.nn.layer "heads"
  function Heads:init(give) self.inner, self.give = small_model(), give end
  function Heads:forward(x)
    local logits = self.inner(x)
    return self.give(self, logits)
  end
  local function train(give)
    return fit({}, { model = Heads(give), val = other, loss = function(outputs, target)
      return icl.loss.cross_entropy(type(outputs) == "table" and outputs[1] or outputs, target)
    end })
  end
  check.equal(train(function(self, logits) return self.training and { logits, logits } or logits end).val.count, 6)
  local takes = ": the model returned a table for images; icl.fit and icl.evaluate take a model that returns its logits"
  check.raises(function() train(function(_, logits) return { logits, logits } end) end, "icl.evaluate" .. takes)
  check.raises(function() train(function(_, logits) return { logits = logits } end) end, "icl.fit" .. takes)
end)

check("parts of a batch draw what the whole would, and as published each draws anew", function()
  for _, as_published in ipairs { false, true } do
    local model, drawn = small_model(), {}
    local forward = icl.nn.layer "drawing"
    function forward:init(inner) self.inner = inner end
    function forward:forward(x)
      drawn[#drawn + 1] = icl.random.number()
      return self.inner(x)
    end
    fit({ subdivision = 2, as_published = as_published }, { model = forward(model) })
    local last = #drawn
    check.equal(drawn[last - 1] ~= drawn[last], as_published)
    check.equal(drawn[last - 2] ~= drawn[last], true)
  end
end)

check("a training ends early where the last epoch is set", function()
  for _, name in ipairs { "on_epoch", "on_step" } do
    local last
    local figures = fit({ epochs = 5, val_period = name == "on_step" and 3 or 1 }, { test = other, [name] = function(run)
      last = run.epoch
      if last == 2 then run.last_epoch = 2 end
    end })
    check.equal(last, 2)
    check.equal(figures.test.count, other.count)
  end
end)

check("gradients are changed before an update", function()
  local model, steps = small_model(), {}
  local before, names = model:parameters()[1]:bytes(), {}
  fit({ weight_decay = 0 }, { model = model, on_gradients = function(run)
    steps[#steps + 1] = run.step
    for i, state in ipairs(model:parameters()) do
      names[i] = state.grad ~= nil
      state.grad = icl.zeros(state:shape())
    end
  end })
  check.equal(#steps > 0 and steps[1], 0)
  check.equal(names[1], true)
  check.equal(model:parameters()[1]:bytes() == before, true)
  check.raises(function() fit({}, { on_gradients = 3 }) end, "on_gradients is 3; it must be a function")
end)

check("an optimizer that takes a function returns what that gives", function()
  local own = { takes_function = true, step = function(_, _, f) f() end }
  check.raises(function() fit({}, { optimizer = own }) end, "step%(rate, f%) gave nil; with takes_function it must")
end)

check("sets are tables", function()
  for _, name in ipairs { "train", "val", "test" } do
    check.raises(function() fit({}, { [name] = 5 }) end, "icl.fit: " .. name .. ": it takes a set of images, not 5")
  end
end)

check("a plateau is told the figure of each evaluation", function()
  -- With a threshold of 1 no loss is better than the first.
  local function rates(options, more)
    local seen = {}
    for name, value in pairs { schedule = "plateau", plateau_patience = 0, plateau_threshold = 1, epochs = 5 } do
      options[name] = options[name] or value
    end
    more.on_step = function(run, values) seen[run.epoch] = ("%.4g"):format(values.lr) end
    fit(options, more)
    return table.concat(seen, " ")
  end
  check.equal(rates({}, {}), "0.1 0.1 0.01 0.001 0.0001")
  check.equal(rates({}, { test = other }), "0.1 0.1 0.01 0.001 0.0001")
  check.equal(rates({ val_period = 2 }, { test = other }), "0.1 0.1 0.1 0.1 0.01")
  check.equal(rates({ plateau_figure = "top1", plateau_patience = 9 }, {}), "0.1 0.1 0.1 0.1 0.1")
end)

check("averages are evaluated beside the weights, which stay", function()
  local function train(options, more)
    icl.random.seed(3)
    options.epochs = 2
    more = more or {}
    more.model, more.test = small_model(), other
    local figures, text = fit(options, more)
    return figures, text, more.model[1].weight:bytes()
  end
  local figures, text, weights = train { ema = 0.9 }
  check.equal(figures.test_ema.count, 6)
  check.equal(figures.test_ema.loss ~= figures.test.loss, true)
  contains(text, " Test EMA loss ", "Test error ", ", of the average (EMA) ")
  local plain, plain_text, same = train {}
  check.equal(weights == same, true)
  check.equal(plain.test.loss, figures.test.loss)
  check.equal(plain.test_ema, nil)
  check.equal(plain_text:find "EMA", nil)
  check.near(train({ ema = 0 }).test.loss, plain.test.loss, 0)
  check.near(train({ ema = 1e-12 }).test_ema.loss, plain.test.loss, 1e-5)
  check.raises(function() train { ema = 1 } end, "ema is 1; it must be less than 1")
  figures = fit({ ema = 0.5, ema_warmup = true }, { val = other, test = set })
  check.equal(figures.val_ema.count, 6)
  check.equal(figures.test_ema.count, 12)
end)

check("when it evaluates, and what", function()
  local seen = {}
  local _, text = fit({ epochs = 5, val_period = 2, val_first = true }, { test = other, on_epoch = function(run, result)
    seen[#seen + 1] = result.test and run.epoch
  end })
  check.equal(table.concat(seen, " "), "2 4 5")
  contains(text, "\nEpoch 0 Test loss")
  local flipped = fit({ tta = "flip" }, { test = other, model = small_model() })
  check.equal(flipped.test.count, 6)
  check.raises(function() fit { val_first = true } end, "val_first means nothing without a set to evaluate on behind")
  check.raises(function() fit({ val_period = 2, use_test_as_val = false, val_ratio = 0.5 }, { test = other }) end,
    "val_period means nothing without a set")
  check.raises(function() fit { tta = "flip" } end, "tta means nothing without a set to evaluate on")
  fit({ tta = "flip", use_test_as_val = false, val_ratio = 0.5 }, { test = other })
end)

check("the test-time flip changes what is evaluated", function()
  local function loss(tta)
    icl.random.seed(8)
    return fit({ tta = tta, epochs = 3 }, { test = other }).test.loss
  end
  check.equal(loss "flip" ~= loss "none", true)
end)

check("weights to start from", function()
  local path, model = os.tmpname(), small_model()
  model:save(path)
  local options = { weights = path, base_lr = 0 }
  local own = small_model()
  fit(options, { model = own })
  check.equal(own[1].weight:bytes() == model[1].weight:bytes(), true)
  own = icl.nn.sequential { icl.nn.conv2d(1, 3, 3) }
  check.raises(function() fit(options, { model = own }) end,
    "icl.fit: weights: load: .* does not fit the model; .* not in the model")
  local head = small_model()
  head[5] = icl.nn.linear(2, 7)
  check.raises(function() fit(options, { model = head, train = make_set(12, 4, 4) }) end, "for 2 classes in the file "
    .. "and for 7 in the model: model:load%(path, { except = \"4\" }%) loads all but it")
  options.weights_except = "4"
  local _, text = fit(options, { model = head, train = make_set(12, 4, 4) })
  contains(text, "Note: Weights of " .. path .. " but for 4.weight, 4.bias")
  check.equal(head[1].weight:bytes() == model[1].weight:bytes(), true)
  options.weights_except = "5"
  check.raises(function() fit(options, { model = head, train = make_set(12, 4, 4) }) end,
    "icl.fit: weights: load: except: there is no '5' in the model")
  check.raises(function() fit { weights_except = "fc" } end, "weights_except = fc means nothing without weights")
  check.raises(function() fit { weights = "/nowhere" } end, "icl.fit: weights: there is no file or run /nowhere")
  os.remove(path)
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
  local function smallest(count, batch_size, subdivision, drop_last, as_published)
    return parts.smallest(count, { batch_size = batch_size, subdivision = subdivision, drop_last = drop_last,
                                   as_published = as_published })
  end
  check.equal(smallest(12, 4, 1, true), 4)
  check.equal(smallest(13, 4, 1, true), 4)
  check.equal(smallest(13, 4, 1, false), 1)
  check.equal(smallest(12, 4, 4, true), 1)
  check.equal(smallest(12, 6, 4, true), 1)
  check.equal(smallest(12, 6, 4, true, true), 2)
  check.equal(smallest(7, 7, 3, true), 2)
  check.equal(smallest(7, 7, 3, true, true), 1)
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
