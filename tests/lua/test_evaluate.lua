-- test_evaluate.lua: icl.evaluate: what it finds, and that it leaves everything as it was.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local places = require "icl.internal.places"
local nn = icl.nn

local function make_set(count, classes)
  local bytes, labels = {}, {}
  for k = 1, count * 16 do bytes[k] = string.char(k * k % 251) end
  for k = 1, count do labels[k] = k * k % classes end
  return icl.data.set { images = icl.tensor(table.concat(bytes), { dtype = "u8", shape = { count, 4, 4, 1 } }),
                        labels = icl.tensor(labels, { dtype = "i64" }), classes = classes, mean = { 0.5 },
                        std = { 0.2 } }
end

local set = make_set(23, 7)

local function small_model()
  return nn.sequential { nn.conv2d(1, 4, 3), nn.batch_norm(4), nn.relu(), nn.dropout(0.5), nn.flatten(),
                         nn.linear(64, 7) }
end

-- Loss and accuracies by a plain count over all images at once.
local function counted(model, images, labels)
  model:eval()
  local logits, loss, top1, top5 = model(images):totable(), 0, 0, 0
  model:train()
  for i, row in ipairs(logits) do
    local own, ahead, sum = row[labels[i] + 1], 0, 0
    for k, value in ipairs(row) do
      sum = sum + math.exp(value)
      if value > own or value == own and k - 1 < labels[i] then ahead = ahead + 1 end
    end
    loss = loss + math.log(sum) - own
    top1, top5 = top1 + (ahead < 1 and 1 or 0), top5 + (ahead < 5 and 1 or 0)
  end
  return { loss = loss / #logits, top1 = top1 / #logits, top5 = top5 / #logits }
end

local function normalized()
  return (set.images:float() / 255 - 0.5) / 0.2
end

check("means over all images, whatever the batches", function()
  local model = small_model()
  local expected = counted(model, normalized(), set.labels:totable())
  for _, size in ipairs { 4, 5, 23, 256 } do
    local result = icl.evaluate(model, set, { batch_size = size })
    check.equal(result.count, 23)
    for name, value in pairs(expected) do check.near(result[name], value, 2e-6) end
  end
  local result = icl.evaluate(model, icl.data.loader(set, { batch_size = 5, drop_last = true }))
  check.equal(result.count, 20)
  check.near(icl.evaluate(function(x) return model(x) end, set).count, 23, 0)
end)

check("crops are the corners and the middle, and their mirror images", function()
  local sizes, seen = {}, {}
  local function model(x)
    sizes[#sizes + 1] = ("%d x %d"):format(x:size(2), x:size(3))
    seen[#seen + 1] = x:mean { 1, 2, 3 }:keep()
    return icl.zeros { x:size(1), set.classes }
  end
  for name, count in pairs { five_crop = 5, ten_crop = 10 } do
    sizes, seen = {}, {}
    icl.evaluate(model, set, { views = name, batch_size = 100 })
    check.equal(#sizes, count)
    local x = normalized()
    local height, width = x:size(2), x:size(3)
    local h, w = height * 7 // 8, width * 7 // 8
    for i, size in ipairs(sizes) do check.equal(size, ("%d x %d"):format(h, w)) end
    local last = x:narrow(2, height - h + 1, h):narrow(3, width - w + 1, w)
    check.near(seen[4]:totable()[1], last:mean { 1, 2, 3 }:totable()[1], 1e-5)
    check.near(seen[1]:totable()[1], x:narrow(2, 1, h):narrow(3, 1, w):mean { 1, 2, 3 }:totable()[1], 1e-5)
    if count == 10 then check.near(seen[9]:totable()[1], seen[4]:totable()[1], 1e-5) end
  end
end)

check("the test-time flip takes the mean of the logits of image and mirror", function()
  local model = small_model():eval()
  local x = normalized()
  local mirror = icl.ops.flip(x, icl.full({ 23 }, 1, "bool"))
  local logits = (model(x) + model(mirror)) / 2
  local expected = icl.loss.cross_entropy(logits, set.labels):item()
  local result = icl.evaluate(model, set, { views = "flip", batch_size = 6 })
  check.near(result.loss, expected, 2e-6)
  check.near(result.top1, icl.metrics.accuracy(logits, set.labels):item(), 1e-6)
  check.equal(math.abs(result.loss - icl.evaluate(model, set).loss) > 1e-4, true)
  local function views(image) return { image, icl.ops.flip(image, icl.full({ image:size(1) }, 1, "bool")) } end
  check.equal(icl.evaluate(model, set, { views = views, batch_size = 6 }).loss, result.loss)
  check.raises(function() icl.evaluate(model, set, { views = "flop" }) end, "views is flop; .*did you mean flip")
  check.raises(function() icl.evaluate(model, set, { views = function() return {} end }) end, "views gives no images")
end)

check("figures of one's own", function()
  local model = small_model()
  local result = icl.evaluate(model, set, { batch_size = 8, metrics = {
    top2 = function(logits, target) return icl.metrics.accuracy(logits, target, 2) end,
    one = function() return 1 end,
  } })
  check.equal(result.one, 1)
  check.equal(result.top1 <= result.top2 and result.top2 <= result.top5, true)
  local function with(metrics) return function() icl.evaluate(model, set, { metrics = metrics }) end end
  check.raises(with { top1 = print }, "metrics: there is a top1 already")
  check.raises(with { mine = 3 }, "metrics: mine: it takes a function%(logits, target%), not 3")
  check.raises(with { print }, "metrics: 1 is no name")
  check.raises(with(print), "metrics: it takes a table")
  check.raises(with { mine = function(logits) return logits end }, "metric mine gives a tensor %(23, 7%)")
  check.raises(with { mine = function() end }, "metric mine gives nil")
end)

check("modules get their modes back, also after an error", function()
  local model, seen = small_model(), {}
  model[2].training = false
  local function modes()
    local list = {}
    for i, entry in ipairs(model:named_modules()) do list[i] = tostring(entry.module.training) end
    return table.concat(list, " ")
  end
  local before = modes()
  icl.evaluate(model, set, { metrics = { mode = function()
    seen[#seen + 1] = modes()
    return 0
  end } })
  check.equal(seen[1]:find "true", nil)
  check.equal(modes(), before)
  local function broken() error "broken" end
  check.raises(function() icl.evaluate(model, set, { metrics = { broken = broken } }) end, "broken")
  check.equal(modes(), before)
  local run = icl.run { model = model }
  check.raises(function() icl.evaluate(model, set, { run = run, metrics = { broken = broken } }) end, "broken")
  check.equal(modes(), before)
  check.equal(icl.ops.add(1, 1):item(), 2)
end)

-- Trains for two epochs with draws everywhere; between(run, model) is called between its loops. -> all that came out
local function train(between)
  icl.random.seed(4)
  local model, augment = small_model(), icl.augment
  local loader = icl.data.loader(set, { batch_size = 4, training = true, chain = augment.chain {
    augment.random_crop { padding = 1 }, augment.hflip {}, augment.normalize {}, augment.mixup {} } })
  local optimizer, run, text = icl.optim.sgd(model), icl.run { epochs = 2, model = model }, {}
  local function note(value) text[#text + 1] = ("%.17g"):format(value) end
  for _ in run:epochs() do
    for _ = 1, 2 do
      for batch in run:batches(loader) do
        local loss = icl.loss.cross_entropy(model(batch.image), batch.target)
        loss:backward()
        optimizer:step(0.1)
        run:log { loss = loss }
      end
      between(run, model)
      note(run.average.loss)
      note(run.last.loss)
    end
    note(icl.random.uniform({ 1 }):item())
    note(icl.step(function() return icl.random.uniform { 1 } end):item())
  end
  note(run.step)
  for _, entry in ipairs(model:named_states()) do text[#text + 1] = entry.state:bytes() end
  return table.concat(text, " "), (places.current())
end

check("it disturbs neither averages nor draws of a run, in an epoch too", function()
  local plain, place = train(function() end)
  local noisy, noisy_place = train(function(_, model)
    icl.evaluate(model, set)
    icl.evaluate(model, icl.data.loader(set, { batch_size = 3, chain = icl.augment.chain {
      icl.augment.normalize {}, icl.augment.cutout { size = 2 } } }))
    pcall(icl.evaluate, model, set, { metrics = { broken = error } })
  end)
  check.equal(plain == noisy, true)
  check.equal(noisy_place, place)
end)

check("with a run it is a loop of that run, whose averages stay", function()
  local model, turns = small_model(), 0
  local loader = icl.data.loader(set, { batch_size = 4 })
  local run = icl.run { model = model, sinks = { { turn = function(_, _, loop)
    check.equal(loop.loader, loader)
    turns = turns + 1
  end } } }
  local step
  for _ in run:epochs() do
    run.average = { loss = 3 }
    local average = run.average
    local result = icl.evaluate(model, loader, { run = run })
    check.equal(turns, 6)
    check.equal(run.average, average)
    check.near(result.loss, icl.evaluate(model, set).loss, 1e-6)
    step = run.step
  end
  check.equal(step, 0)
  turns = 0
  icl.evaluate(model, set, { batch_size = 8, watch = function(_, loop) turns = turns + loop.number end })
  check.equal(turns, 1 + 2 + 3)
end)

check("an image folder's set has the chain of an evaluation", function()
  local set_of_folder = setmetatable({ folder = {}, shape = { 224, 224, 3 } }, { __index = set })
  check.equal(icl.augment.from_options({}, set_of_folder).decoder.options.resize, 256)
end)

check("a loss that is not finite is a figure", function()
  local function blown(x) return x:flatten():narrow(2, 1, 7) * math.huge end
  local loss = icl.evaluate(blown, set).loss
  check.equal(loss ~= loss or loss == math.huge, true)
end)

check("what it refuses", function()
  local model = small_model()
  check.raises(function() icl.evaluate(model) end, "it takes a set or a loader behind the model, not nil")
  check.raises(function() icl.evaluate(model, {}) end, "no set of images")
  check.raises(function() icl.evaluate(nil, set) end, "the model is nil; it must be a module or a function")
  check.raises(function() icl.evaluate(nn.relu, set) end, "the model is the class relu; call it")
  check.raises(function() icl.evaluate(model, set, { view = "flip" }) end, "no option 'view' %(did you mean views%?%)")
  check.raises(function() icl.evaluate(model, set, {}, 1) end, "1 is an argument too many")
  local loader = icl.data.loader(set, { batch_size = 4, training = true })
  check.raises(function() icl.evaluate(model, loader) end, "a loader for training draws and leaves out images; .*set")
  loader = icl.data.loader(set, { batch_size = 4 })
  check.raises(function() icl.evaluate(model, loader, { batch_size = 3 }) end, "a loader has a batch_size and a chain")
  check.raises(function() icl.step(icl.evaluate, model, set) end, "icl.evaluate: a step is open")
  check.raises(function()
    for _ in icl.run({}):batches(loader) do icl.evaluate(model, set) end
  end, "icl.evaluate: a step is open")
end)

check.close()
