-- test_run.lua: loops in which each pass is a step, losses and metrics, and icl.fit.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local core = require "icl.core"
local icl = require "icl"

-- n images whose label is where their bright quarter is.
local function make_set(n)
  local images, labels = {}, {}
  for k = 1, n do
    local label = (k - 1) % 4
    labels[k], images[k] = label, {}
    for i = 1, 8 do
      images[k][i] = {}
      for j = 1, 8 do
        local bright = (i > 4) == (label > 1) and (j > 4) == (label % 2 == 1)
        images[k][i][j] = { (bright and 180 or 60) + (7 * k + 3 * i + 5 * j) % 40 }
      end
    end
  end
  return icl.data.set { images = icl.tensor(images, { dtype = "u8" }), labels = icl.tensor(labels, { dtype = "i64" }),
                        classes = 4, mean = { 0.35 }, std = { 0.2 } }
end

local set = make_set(48)

local function loader(training)
  return icl.data.loader(set, { batch_size = 16, training = training })
end

check("each pass is a step", function()
  local run, counter = icl.run { epochs = 2 }, icl.state { 0 }
  local seen = {}
  for epoch in run:epochs() do
    for _ in run:batches(loader(true)) do
      check.equal(core.in_step(), true)
      seen[#seen + 1] = epoch * 10 + run.step
      counter:write(counter + 1)
    end
    check.equal(core.in_step(), false)
  end
  check.equal(table.concat(seen, " "), "10 11 12 23 24 25")
  check.equal(counter:get()[1], 6)
  check.equal(run.step, 6)
end)

check("break commits, return commits, an error drops", function()
  local counter = icl.state { 0 }
  local function turn(how)
    local run = icl.run { epochs = 1 }
    for _ in run:batches(loader(true)) do
      counter:write(counter + 1)
      if how == "break" then break end
      if how == "return" then return end
      error "in the body"
    end
  end
  turn "break"
  check.equal(counter:get()[1], 1)
  turn "return"
  check.equal(counter:get()[1], 2)
  check.raises(function() turn "error" end, "in the body")
  check.equal(counter:get()[1], 2)
  check.equal(core.in_step(), false)
end)

-- A loop over an epoch's batches and one of evaluation, each of which an error ends after `instructions` of them, are
-- entered again until they are done.
local function train_in_pieces(instructions)
  icl.random.seed(0) -- each of these runs is the first of its program
  local run, counter = icl.run { epochs = 2 }, icl.state { 0 }
  local training, evaluation = loader(true), loader(false)
  local images, pieces, at_work = {}, 0, true
  local function work()
    for _ in run:epochs() do
      for batch in run:batches(training) do
        counter:write(counter + 1)
        local list = batch.index:totable()
        run:log { first = list[1] }
        images[run.step] = list
      end
      for _ in run:batches(evaluation) do counter:write(counter + 100) end
    end
    at_work = false
  end
  repeat
    debug.sethook(function()
      debug.sethook()
      if at_work then error "stopped" end
    end, "", instructions + pieces)
    local ok, message = pcall(work)
    debug.sethook()
    if not ok and not message:find "stopped" then error(message, 0) end
    pieces = pieces + 1
  until ok
  return pieces, run.step, counter:get()[1], images
end

check("loops that an error ended go on behind the last pass", function()
  local _, step, count, images = train_in_pieces(1 << 30)
  check.equal(count, 606)
  for instructions = 100, 1500, 7 do
    local pieces, steps, passes, again = train_in_pieces(instructions)
    check.equal(pieces > 1 or instructions > 1000, true)
    check.equal(steps, step)
    check.equal(passes, count)
    for i = 0, step - 1 do check.equal(table.concat(again[i], " "), table.concat(images[i], " ")) end
  end
end)

check("a loop that ended as it should begins anew", function()
  local run, training = icl.run {}, loader(true)
  local function passes()
    local n = 0
    for _ in run:batches(training) do n = n + 1 end
    return n
  end
  check.equal(passes(), 3)
  check.equal(passes(), 3)
  for _ in run:batches(training) do break end
  check.equal(passes(), 3)
  pcall(function()
    for _ in run:batches(training) do
      run:log { one = 1 }
      if run.step == 11 then error "stopped" end
    end
  end)
  check.equal(run.average.one, 1)
  check.equal(passes(), 2)
  check.equal(passes(), 3)
end)

check("a loop over epochs has no other one of its run within", function()
  local run, seen = icl.run { epochs = 3 }, {}
  for epoch in run:epochs() do
    seen[#seen + 1] = epoch
    check.raises(function()
      for _ in run:epochs() do end
    end, "run:epochs: a loop over the epochs of this run is being run")
  end
  check.equal(table.concat(seen, " "), "1 2 3")
end)

check("figures of reports have names", function()
  local run = icl.run {}
  check.raises(function() run:report { 5 } end, "run:report: 5 has no name")
  check.raises(function() run:report { test = { 5 } } end, "run:report: 5 has no name")
  check.raises(function() run:report { test = { loss = "low" } } end, "figures are numbers")
end)

check("the figures that a state has are all those of its epoch", function()
  local run = icl.run { epochs = 2 }
  for epoch in run:epochs() do
    run:report { train = { loss = epoch } }
    if epoch == 1 then run:report { test = { loss = 3 } } end
  end
  check.equal(run.reports.latest.train.loss, 2)
  check.equal(run.reports.latest.test, nil)
  run:report { test = { loss = 4 } }
  check.equal(run.reports.latest.train.loss, 2)
  run:report { final = true, test = { loss = 5 } }
  check.equal(run.reports.latest.train, nil)
end)

check("the model of a run is in the mode of the loader", function()
  local model = icl.nn.sequential { icl.nn.linear(1, 1) }
  local run, modes = icl.run { model = model }, {}
  for _ in run:batches(loader(true)) do
    modes[#modes + 1] = model.training
    model:eval()
  end
  for _ in run:batches(loader(false)) do modes[#modes + 1] = model.training end
  check.equal(table.concat({ tostring(modes[1]), tostring(modes[3]), tostring(modes[4]) }, " "), "true true false")
end)

check("logged values are averaged by images", function()
  local run = icl.run {}
  local odd = icl.data.loader(set, { batch_size = 32 })
  for batch in run:batches(odd) do run:log { size = batch:size(), mean = batch.image:mean() } end
  check.near(run.average.size, (32 * 32 + 16 * 16) / 48, 1e-9)
  check.equal(run.last.size, 16)
  check.equal(run.step, 0)
  check.raises(function() run:log { a = 1 } end, "belongs into the body")
end)

check("the average of a value is that over the passes that logged it", function()
  local run = icl.run {}
  for batch in run:batches(icl.data.loader(set, { batch_size = 20 })) do
    local size = batch:size()
    run:log { always = size }
    if size < 20 then run:log { once = 7 } end
    if run.last.always == nil or size < 20 then run:log { twice = size } end
  end
  check.equal(run.average.once, 7)
  check.near(run.average.always, (20 * 20 * 2 + 8 * 8) / 48, 1e-9)
  check.near(run.average.twice, (20 * 20 + 8 * 8) / 28, 1e-9)
end)

check("a loss that is not finite stops the run", function()
  local run = icl.run {}
  check.raises(function()
    for _ in run:batches(loader(true)) do run:log { loss = icl.zeros {} / 0 } end
  end, "the loss is .*nan in step 1")
end)

check("a value that was not kept says so", function()
  local run, image = icl.run {}, nil
  for batch in run:batches(loader(true)) do image = batch.image * 2 end
  check.raises(function() image:totable() end, "keep")
end)

check("cross-entropy", function()
  local logits, labels = icl.tensor { { 1, 2, 3 }, { 0, 0, 0 } }, icl.tensor({ 2, 0 }, { dtype = "i64" })
  local first = math.log(math.exp(-2) + math.exp(-1) + 1)
  check.near(icl.loss.cross_entropy(logits, labels):item(), (first + math.log(3)) / 2, 1e-6)
  local smooth = 0.7 * first + 0.3 / 3 * ((first + 2) + (first + 1) + first)
  check.near(icl.loss.cross_entropy(logits, labels, 0.3):item(), (smooth + math.log(3)) / 2, 1e-6)
  local mixed = { labels = { labels, icl.tensor({ 0, 1 }, { dtype = "i64" }) }, weights = { 0.25, 0.75 } }
  check.near(icl.loss.cross_entropy(logits, mixed):item(), (0.25 * first + 0.75 * (first + 2) + math.log(3)) / 2, 1e-6)
  check.raises(function() icl.loss.cross_entropy(logits, 3) end, "a tensor of labels or a table")
end)

check("accuracy", function()
  local logits = icl.tensor { { 1, 2, 3, 0 }, { 5, 1, 0, 2 } }
  local labels = icl.tensor({ 1, 0 }, { dtype = "i64" })
  check.equal(icl.metrics.accuracy(logits, labels):item(), 0.5)
  check.equal(icl.metrics.accuracy(logits, labels, 2):item(), 1)
  check.equal(icl.metrics.accuracy(logits, labels, 5):item(), 1)
  local mixed = { labels = { labels, icl.tensor({ 2, 1 }, { dtype = "i64" }) }, weights = { 0.25, 0.75 } }
  check.near(icl.metrics.accuracy(logits, mixed):item(), 0.25 * 0.5 + 0.75 * 0.5, 1e-6)
end)

-- Logits, label, k, is it a hit. Of equal logits the first is the larger, NaN is larger than all and never a hit.
local INF, NAN = math.huge, 0 / 0
local hits = {
  { { 0, 0, 0, 0 }, 0, 1, 1 }, { { 0, 0, 0, 0 }, 1, 1, 0 }, { { 0, 0, 0, 0 }, 1, 2, 1 }, { { 0, 0, 0, 0 }, 2, 2, 0 },
  { { 1, 3, 3, 2 }, 1, 1, 1 }, { { 1, 3, 3, 2 }, 2, 1, 0 }, { { 1, 3, 3, 2 }, 3, 2, 0 }, { { 1, 3, 3, 2 }, 3, 3, 1 },
  { { INF, 1, INF, 0 }, 0, 1, 1 }, { { INF, 1, INF, 0 }, 2, 1, 0 }, { { INF, 1, INF, 0 }, 2, 2, 1 },
  { { INF, 1, INF, 0 }, 1, 2, 0 }, { { -INF, 1, -INF, 0 }, 0, 3, 1 }, { { -INF, 1, -INF, 0 }, 2, 3, 0 },
  { { NAN, 1, 2, 3 }, 0, 1, 0 }, { { NAN, 1, 2, 3 }, 3, 1, 0 }, { { NAN, 1, 2, 3 }, 3, 2, 1 },
  { { NAN, NAN, NAN, NAN }, 0, 2, 0 }, { { 1, NAN, 2, 3 }, 1, 4, 0 },
}

check("accuracy of equal, infinite and NaN logits", function()
  for i, row in ipairs(hits) do
    local logits, label, k, hit = table.unpack(row)
    local function accuracy()
      return icl.metrics.accuracy(icl.tensor { logits }, icl.tensor({ label }, { dtype = "i64" }), k)
    end
    if accuracy():item() ~= hit or icl.step(accuracy):item() ~= hit then error(("row %d is not %d"):format(i, hit)) end
  end
  local labels = {}
  for i = 1, 10 do labels[i] = i - 1 end
  labels = icl.tensor(labels, { dtype = "i64" })
  for k = 1, 10 do check.near(icl.metrics.accuracy(icl.zeros { 10, 10 }, labels, k):item(), k / 10, 1e-6) end
end)

-- Trains a small model; -> its figures and the bytes of its states. Nothing is printed.
local function fit(options, more)
  icl.random.seed(1)
  local model = icl.models.resnet_preact { depth = 8, initial_channels = 4, input = set.shape, classes = set.classes }
  local all = { epochs = 6, batch_size = 16, base_lr = 0.1, schedule = "cosine", random_crop = false, hflip = false }
  for key, value in pairs(options or {}) do all[key] = value end
  local given = { model = model, train = set, test = set, options = all, quiet = true }
  for key, value in pairs(more or {}) do given[key] = value end
  local figures, parts = icl.fit(given), {}
  for i, entry in ipairs(model:named_states()) do parts[i] = entry.state:bytes() end
  return figures, table.concat(parts)
end

check("the gradient of a batch's images", function()
  local run, model = icl.run {}, icl.nn.sequential(icl.nn.flatten(), icl.nn.linear(64, 4))
  local chain = icl.augment.chain { icl.augment.hflip {}, icl.augment.normalize {}, icl.augment.mixup {} }
  for batch in run:batches(icl.data.loader(set, { batch_size = 16, training = true, chain = chain })) do
    local loss = icl.loss.cross_entropy(model(batch.image), batch.target)
    local gradient = icl.grad(loss, { batch.image })[1]
    check.equal(table.concat(gradient:shape(), " "), table.concat(batch.image:shape(), " "))
    run:log { size = gradient:abs():sum() }
  end
  check.equal(run.average.size > 0, true)
end)

check("fit learns, and the same seed gives the same bytes", function()
  local figures, bytes = fit()
  check.equal(figures.test.top1 > 0.9, true)
  check.equal(figures.train.loss < 1.2, true)
  local _, again = fit()
  check.equal(bytes == again, true)
end)

check("fit in bf16 and with subdivided batches", function()
  check.equal(fit { precision = "bf16" }.test.top1 > 0.9, true)
  check.equal(fit { subdivision = 3, epochs = 8 }.test.top1 > 0.9, true)
  check.equal(fit({ subdivision = 3, epochs = 8, as_published = true }).test.top1 > 0.9, true)
end)

check("fit with a loss of one's own and without a test set", function()
  local calls = 0
  local figures = fit({ epochs = 1 }, { test = false, loss = function(logits, target)
    calls = calls + 1
    return icl.loss.cross_entropy(logits, target) * 2
  end })
  check.equal(calls, 3)
  check.equal(figures.test, nil)
end)

check("fit stops at a loss that is not finite", function()
  check.raises(function() fit { base_lr = 1e30, nesterov = false } end, "the loss is")
end)

check("fit names what is missing", function()
  check.raises(function() icl.fit { train = set } end, "it needs a model")
  check.raises(function() icl.fit { modl = 1 } end, "did you mean model")
end)

check("options of a command line say what a run is not given, and which of them nothing reads", function()
  local lines, opt = {}, icl.options "x" : value("own", 1, "") : include(icl.options.training, icl.options.runtime)
    : parse { "--epochs", "2", "--ema", "0.5", "--own", "2", "--output", "none" }
  local sinks = { { line = function(_, text) lines[#lines + 1] = text end } }
  local function passes(more)
    more.options, more.sinks, more.quiet = opt, sinks, true
    local run, count = icl.run(more), 0
    for _ in run:epochs() do
      count = count + opt.own
    end
    return count
  end
  check.equal(passes {}, 4)
  check.equal(table.concat(lines, "; "), "Warning: --ema has no effect: the program does not read it")
  check.equal(passes { epochs = 3 }, 6)
  check.equal(#lines, 1)
end)

check("gradients that nobody uses in a pass are told, once", function()
  local model = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(64, 4) }
  local optimizer = icl.optim.sgd(model)
  local function warnings(body)
    local lines = {}
    local sink = { line = function(_, text) lines[#lines + 1] = text end }
    local run = icl.run { model = model, quiet = true, sinks = { sink } }
    for batch in run:batches(loader(true)) do
      body(run, batch, icl.loss.cross_entropy(model(batch.image), batch.target))
    end
    return table.concat(lines, "\n")
  end
  check.equal(warnings(function(run, _, loss)
    loss:backward()
    if run.step == 2 then optimizer:step(0.1) end
  end), "Warning: step 0 computed gradients and no optimizer used them: they end with the pass, and do not add up over "
    .. "passes; the parts of a large batch belong into one pass, in a loop over batch:chunks(n)")
  local used = {
    function(_, _, loss)
      loss:backward()
      optimizer:step(0.1)
    end,
    function(_, _, loss)
      loss:backward()
      for _, w in ipairs(model:parameters()) do w:write(w - 0.1 * w.grad) end
    end,
    function(_, _, loss)
      loss:backward()
      for _, w in ipairs(model:parameters()) do w:clear_grad() end
    end,
    function(_, batch, _)
      for _, part in ipairs(batch:chunks(2)) do
        (icl.loss.cross_entropy(model(part.image), part.target) / 2):backward()
      end
      optimizer:step(0.1)
    end,
    function() end,
  }
  for _, body in ipairs(used) do check.equal(warnings(body), "") end
end)

check("an evaluation gives layers back the modes that they had", function()
  local model = icl.nn.sequential { icl.nn.flatten(), icl.nn.batch_norm(64), icl.nn.linear(64, 4) }
  model[2]:eval()
  local run, modes = icl.run { epochs = 2, model = model, quiet = true }, {}
  local function note() modes[#modes + 1] = ("%s %s"):format(model.training, model[2].training) end
  for _ in run:epochs() do
    for _ in run:batches(loader(true)) do note() break end
    for _ in run:batches(loader(false)) do note() break end
    note()
  end
  local once = "true false, false false, true false"
  check.equal(table.concat(modes, ", "), once .. ", " .. once)
  pcall(function()
    for _ in run:batches(loader(false)) do error "x" end
  end)
  note()
  check.equal(modes[#modes], "true false")
  for _ in run:batches(loader(false)) do model:train() end
  note()
  check.equal(modes[#modes], "true false")
end)

check("the best figure is the largest, or the smallest of a loss, an error or by its mode", function()
  local function best_epoch(best, values)
    local run = icl.run { epochs = #values, best = best, quiet = true }
    local set, field = (type(best) == "table" and best.figure or best):match "^(.-)%.(.*)$"
    for epoch in run:epochs() do run:report { [set] = { [field] = values[epoch] } } end
    check.equal(run.best.value, values[run.best.epoch])
    return run.best.epoch
  end
  for _, name in ipairs { "val.f1", "test.top5", "own.recall", "val.images" } do
    check.equal(best_epoch(name, { 0.2, 0.9, 0.5 }), 2)
  end
  for _, name in ipairs { "val.loss", "val.my_loss2", "own.calibration_error", "val.perplexity", "val.fpr95",
                          "val.loss.own" } do
    check.equal(best_epoch(name, { 0.5, 0.9, 0.2 }), 3)
  end
  check.equal(best_epoch({ figure = "val.cost", mode = "min" }, { 3, 1, 2 }), 2)
  check.equal(best_epoch({ figure = "val.loss", mode = "max" }, { 3, 1, 2 }), 1)
  local reports = { { epoch = 1, val = { f1 = 0.2, cost = 3 } }, { epoch = 2, val = { f1 = 0.9, cost = 5, top1 = 1 } } }
  check.equal(icl.runs.figures.best(reports, "val.f1").epoch, 2)
  check.equal(icl.runs.figures.judging(reports), "val.top1")
  reports[2].judged_by = icl.runs.figures.chosen("val.cost", "min")
  check.equal(icl.runs.figures.judging(reports), "val.cost")
  check.equal(icl.runs.figures.best(reports, "val.cost").epoch, 1)
  reports[2].val["f1.macro"], reports[2].judged_by = 0.5, icl.runs.figures.chosen("val.f1.macro", "max")
  check.equal(icl.runs.figures.judging(reports), "val.f1.macro")
  check.equal(icl.runs.figures.title "val.f1.macro", "f1.macro, validation")
  local told
  local sink = { line = function(_, text) told = text end }
  for _ in icl.run({ best = "val.f1", quiet = true, sinks = { sink } }):epochs() do end
  check.equal(told, "Warning: val.f1 was to decide which state is the best, and was in no report: the last state "
    .. "counts")
  check.raises(function() icl.run { best = { figure = "val.cost", mode = "less" } } end, "best: mode is less")
  check.raises(function() icl.run { best = { mode = "min" } } end, "icl.run: best is ")
  check.raises(function() icl.run { best = "f1" } end, "icl.run: best is 'f1'; it is a figure of reports")
end)

check("the last epoch that is set is an integer", function()
  for _, value in ipairs { "3", 2.5, -1, 1 / 0 } do
    local run = icl.run { epochs = 3, quiet = true }
    check.raises(function()
      for _ in run:epochs() do run.last_epoch = value end
    end, "run.last_epoch is .*; it must be an integer")
  end
end)

check("a gradient that is put in place of another and is not used is told as well", function()
  local told, w = 0, icl.state({ 1 }, { trainable = true, name = "w" })
  local sink = { line = function(_, line) if line:find "no optimizer used them" then told = told + 1 end end }
  for _ = 1, 2 do
    local run = icl.run { sinks = { sink } }
    for _ in run:epochs() do
      for _ in run:batches(loader(true)) do
        w:sum():backward()
        w.grad = w.grad:clamp(-1, 1)
        if told == 1 then icl.optim.sgd({ { parameters = { { name = "w", state = w } } } }):step(0.1) end
      end
    end
  end
  check.equal(told, 1)
end)

check("what a run is told must have its form", function()
  check.raises(function() icl.run { model = icl.nn.linear(1, 1), keep = { model = icl.nn.linear(1, 1) } } end,
    "icl.run: keep.model is another one than model; give one of them another name")
  check.raises(function() icl.run { sinks = { function() end } } end, "sink 1: it takes a table of functions")
  check.raises(function() icl.run { sinks = { { epohc = print } } } end, "sink 1 has none of the functions")
  check.raises(function() icl.run { sinks = { { report = 3 } } } end, "sink 1: report: it takes a function, not 3")
  check.raises(function() icl.run(3) end, "icl.run: it takes a table of options, not 3")
  local warnings = {}
  local run = icl.run { best = "test.topp1", sinks = { { line = function(_, text)
    if text:find "^Warning" then warnings[#warnings + 1] = text end
  end } } }
  check.raises(function() run:line(nil) end, "run:line: it takes a text, not nil")
  check.raises(function() run:warn(3) end, "run:warn: it takes a text, not 3")
  for _ in run:epochs() do
    for batch in run:batches(icl.data.loader(set, { batch_size = 2, training = true })) do
      check.raises(function() run:log() end, "run:log: it takes a table { name = value }, not nil")
      check.raises(function() run:log { loss = "a" } end, "run:log: loss is 'a'; it must be a number")
      check.raises(function() run:log { loss = batch.target:gt(0):any() } end,
        "run:log: loss is bool; loss:float%(%) is a number")
      check.raises(function() run:log { loss = batch.target } end,
        "run:log: loss is a tensor %(2%); it must have one element, such as its mean%(%)")
      break
    end
    run:report { test = { top1 = 0.5, loss = 1 } }
    run:report { test = { top1 = 0.5, loss = 1 } }
  end
  check.equal(#warnings, 1)
  check.equal(warnings[1], "Warning: test.topp1 is to decide which state is the best, but the report has "
    .. "test.loss, test.top1 (did you mean test.top1?)")
end)

check.close()
