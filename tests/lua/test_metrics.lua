-- test_metrics.lua: figures of whole sets against the same counted in plain Lua, in icl.evaluate, in icl.fit and
-- resumed.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local metrics = icl.metrics

local CLASSES, COUNT = 4, 23

-- Logits and labels without a pattern; class 3 (from 0) never occurs as a label.
local logits, labels = {}, {}
for i = 1, COUNT do
  logits[i] = {}
  for k = 1, CLASSES do logits[i][k] = 3 * math.sin(i * i * 0.7 + k * 2.1) end
  labels[i] = i * 7 % 3
end

local function largest(row)
  local best = 1
  for k = 2, #row do
    if row[k] > row[best] then best = k end
  end
  return best
end

local matrix = {}
for t = 1, CLASSES do
  matrix[t] = {}
  for p = 1, CLASSES do matrix[t][p] = 0 end
end
for i, row in ipairs(logits) do
  local t, p = labels[i] + 1, largest(row)
  matrix[t][p] = matrix[t][p] + 1
end

-- Takes in all images, in batches of some images, each in a step; -> the value.
local function over(metric, size)
  for first = 1, COUNT, size do
    local rows, own = {}, {}
    for i = first, math.min(first + size - 1, COUNT) do
      rows[#rows + 1], own[#own + 1] = logits[i], labels[i]
    end
    icl.step(function() metric:update(icl.tensor(rows), icl.tensor(own, { dtype = "i64" })) end)
  end
  return metric:value()
end

local function same(got, expected)
  for t = 1, CLASSES do
    for p = 1, CLASSES do check.equal(got[t][p], expected[t][p]) end
  end
end

check("the confusion matrix, cleared and cloned", function()
  local confusion = metrics.confusion { classes = CLASSES }
  same(over(confusion, 5), matrix)
  local other = confusion:clone()
  confusion:reset()
  same(over(confusion, 23), matrix)
  check.equal(other:value()[1][1], 0)
end)

-- precision, recall, f1 and images of a class, counted
local function of_class(k)
  local called, images = 0, 0
  for i = 1, CLASSES do called, images = called + matrix[i][k], images + matrix[k][i] end
  local hits = matrix[k][k]
  local precision, recall = called > 0 and hits / called or 0, images > 0 and hits / images or 0
  local f1 = precision + recall > 0 and 2 * precision * recall / (precision + recall) or 0
  return { precision = precision, recall = recall, f1 = f1, images = images, occurs = called + images > 0 }
end

for _, name in ipairs { "precision", "recall", "f1" } do
  check(name, function()
    local list = over(metrics[name] { classes = CLASSES, average = "none" }, 6)
    local total, occur, weighted = 0, 0, 0
    for k = 1, CLASSES do
      local class = of_class(k)
      check.near(list[k], class[name], 1e-12)
      if class.occurs then total, occur = total + class[name], occur + 1 end
      weighted = weighted + class[name] * class.images / COUNT
    end
    check.near(over(metrics[name] { classes = CLASSES }, 6), total / occur, 1e-12)
    check.near(over(metrics[name] { classes = CLASSES, average = "weighted" }, 6), weighted, 1e-12)
    check.equal(metrics[name] { classes = CLASSES }:value(), 0)
  end)
end

check("a class that nobody speaks of does not lower a mean", function()
  local f1 = metrics.f1 { classes = 3 }
  f1:update(icl.tensor { { 1, 0, 0 }, { 0, 1, 0 } }, icl.tensor({ 0, 1 }, { dtype = "i64" }))
  check.equal(f1:value(), 1)
end)

check("the accuracy of each class", function()
  local list = over(metrics.class_accuracy { classes = CLASSES }, 4)
  check.equal(#list, CLASSES)
  for k = 1, CLASSES do check.near(list[k], of_class(k).recall, 1e-12) end
end)

check("the expected calibration error", function()
  for _, bins in ipairs { 1, 4, 15 } do
    local sums = {}
    for b = 1, bins do sums[b] = { 0, 0, 0 } end
    for i, row in ipairs(logits) do
      local total, best = 0, largest(row)
      for _, value in ipairs(row) do total = total + math.exp(value - row[best]) end
      local confidence = 1 / total
      local bin = sums[math.max(math.ceil(confidence * bins), 1)]
      bin[1], bin[2] = bin[1] + 1, bin[2] + confidence
      bin[3] = bin[3] + (labels[i] + 1 == best and 1 or 0)
    end
    local expected = 0
    for _, bin in ipairs(sums) do
      if bin[1] > 0 then expected = expected + bin[1] / COUNT * math.abs(bin[3] / bin[1] - bin[2] / bin[1]) end
    end
    check.near(over(metrics.calibration_error { bins = bins }, 7), expected, 1e-6)
  end
  local certain = metrics.calibration_error()
  certain:update(icl.tensor { { 200, 0 }, { 0, 200 } }, icl.tensor({ 0, 0 }, { dtype = "i64" }))
  check.near(certain:value(), 0.5, 1e-6)
end)

check("labels that are mixed, and distributions", function()
  local a, b = icl.tensor({ 0, 1 }, { dtype = "i64" }), icl.tensor({ 1, 1 }, { dtype = "i64" })
  local x = icl.tensor { { 1, 0 }, { 0, 1 } }
  local mixture, distribution = { labels = { a, b }, weights = { 0.25, 0.75 } }, icl.tensor { { 0.25, 0.75 }, { 0, 1 } }
  for _, target in ipairs { mixture, distribution } do
    local confusion = metrics.confusion { classes = 2 }
    confusion:update(x, target)
    local got = confusion:value()
    check.equal(got[1][1], 0.25)
    check.equal(got[2][1], 0.75)
    check.equal(got[2][2], 1)
  end
  check.equal(metrics.accuracy(x, distribution):item(), 0.5)
end)

-- ---- in loops ----

local function make_set(count)
  local bytes, own = {}, {}
  for k = 1, count * 16 do bytes[k] = string.char(k * k % 251) end
  for k = 1, count do own[k] = k % 3 end
  return icl.data.set { images = icl.tensor(table.concat(bytes), { dtype = "u8", shape = { count, 4, 4, 1 } }),
                        labels = icl.tensor(own, { dtype = "i64" }), classes = 3, mean = { 0.5 }, std = { 0.2 } }
end

local set = make_set(20)

local function new_model()
  icl.random.seed(4)
  local nn = icl.nn
  return nn.sequential { nn.conv2d(1, 3, 3), nn.batch_norm(3), nn.relu(), nn.global_avg_pool(), nn.linear(3, 3) }
end

local function total(rows)
  local sum = 0
  for _, row in ipairs(rows) do
    for _, value in ipairs(row) do sum = sum + value end
  end
  return sum
end

check("icl.evaluate gives them beside the others, anew in each call", function()
  local model, given = new_model(), { confusion = metrics.confusion { classes = 3 }, f1 = metrics.f1 { classes = 3 },
    ece = metrics.calibration_error(), half = function() return 0.5 end }
  for _, size in ipairs { 20, 6 } do
    local result = icl.evaluate(model, set, { metrics = given, batch_size = size })
    check.equal(total(result.confusion), 20)
    local hits = result.confusion[1][1] + result.confusion[2][2] + result.confusion[3][3]
    check.near(hits / 20, result.top1, 1e-6)
    check.equal(result.f1 >= 0 and result.f1 <= 1 and result.ece > 0, true)
    check.equal(result.half, 0.5)
  end
  check.equal(total(given.confusion:value()), 0)
end)

local options = { epochs = 2, batch_size = 4, schedule = "constant", random_crop = false, base_lr = 0.01 }

check("icl.fit has them of each epoch and set; numbers alone are reported", function()
  for _, own in ipairs { {}, { subdivision = 2 }, { sam_rho = 0.05 }, { ema = 0.5 } } do
    for name, value in pairs(options) do own[name] = value end
    local epochs = 0
    local result = icl.fit {
      model = new_model(), train = set, test = make_set(9), options = own, quiet = true,
      metrics = { confusion = metrics.confusion { classes = 3 }, f1 = metrics.f1 { classes = 3 } },
      on_epoch = function(_, figures)
        epochs = epochs + 1
        check.equal(total(figures.train.confusion), 20)
        check.equal(total(figures.test.confusion), 9)
        check.equal(type(figures.test.f1), "number")
      end,
    }
    check.equal(epochs, 2)
    check.equal(total(result.train.confusion), 20)
    if own.ema then check.equal(total(result.test_ema.confusion), 9) end
  end
end)

check("a run that goes on within an epoch has counted what came before", function()
  local folder = os.tmpname()
  os.remove(folder)
  local function fit(more)
    local own = { output = folder, save_every = "1steps", tensorboard = false }
    for name, value in pairs(options) do own[name] = value end
    for name, value in pairs(more.options or {}) do own[name] = value end
    more.options = own
    more.model, more.train, more.quiet = new_model(), set, true
    more.metrics = { confusion = metrics.confusion { classes = 3 } }
    return icl.fit(more)
  end
  check.raises(function()
    fit { on_step = function(run) if run.step == 8 then error "that is enough" end end }
  end, "that is enough")
  local result = fit { options = { resume = folder, output = "" } }
  check.equal(total(result.train.confusion), 20)
  os.execute(("rm -r '%s'"):format(folder))
end)

check("mistakes", function()
  local x, y = icl.tensor { { 1, 0 } }, icl.tensor({ 0 }, { dtype = "i64" })
  for _, case in ipairs {
    { function() metrics.f1() end, "metrics.f1: classes is nil; it must be an integer from 1" },
    { function() metrics.f1 { classes = 2, average = "mean" } end, "average is mean; it must be one of macro, none" },
    { function() metrics.confusion { class = 3 } end, "metrics.confusion: there is no option 'class'" },
    { function() metrics.confusion { classes = 3 }:update(x, y) end,
      "metrics.confusion: the logits are %(1, 2%), but it was made for 3 classes" },
    { function() metrics.calibration_error { bins = 0 } end, "bins is 0" },
    { function() metrics.accuracy(x, y, 0) end, "metrics.accuracy: k is 0; it must be an integer of at least 1" },
    { function() metrics.accuracy(x:reshape(1, 1, 1, 2), y) end,
      "metrics.accuracy: the logits are %(1, 1, 1, 2%); they must be %(n, classes%)" },
    { function() metrics.accuracy(x, 3) end, "a tensor of labels or a table with labels and weights, not 3" },
    { function() metrics.accuracy(x) end, "a target is a tensor .*, not nil" },
    { function() metrics.accuracy(x, { labels = { y }, weights = {} }) end, "has 1 labels and 0 weights" },
    { function() metrics.accuracy(x, icl.tensor({ 0, 1 }, { dtype = "i64" })) end,
      "metrics: there are 1 rows of logits, but labels %(2%); they must be %(1%)" },
    { function() metrics.ranks(3, y) end, "metrics.ranks: logits is 3; it must be a tensor" },
    { function() icl.step(function() metrics.f1 { classes = 2 } end) end, "metrics.f1: a step is open" },
    { function() icl.step(function() return metrics.f1 { classes = 2 } end) end, "make it before the loop" },
    { function()
        local f1 = metrics.f1 { classes = 2 }
        icl.step(function() f1:value() end)
      end, "metrics.f1: value: a step is open; read it behind the loop" },
    { function() icl.evaluate(new_model(), set, { metrics = { mine = {} } }) end,
      "metrics: mine: it takes a function%(logits, target%)" },
  } do
    check.raises(case[1], case[2])
  end
end)

check.close()
