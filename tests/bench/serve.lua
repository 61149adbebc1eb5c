-- serve.lua: icl as a contender of the benchmark. It trains one network on a set of images made up here, through the
-- loader and the augmentation of the recipes, or with --ready on one batch without them, and answers requests on
-- standard input, as README.md describes.
local core = require "icl.core"
local icl = require "icl"

local opt = icl.options "A contender of the benchmark"
  : choice("model", "resnet_preact", icl.models.names, "the network")
  : value("options", "depth=20", "its options: NAME=NUMBER,NAME=NUMBER")
  : value("batch", 128, "images a step", { min = 2 })
  : value("lr", 0.01, "learning rate", { min = 0 })
  : flag("ready", false, "train on one batch, which lies on the device, and take the time of a turn as a whole")
  : include(icl.options.augmentation, icl.options.runtime)
  : parse(arg)

math.randomseed(0)
local CLASSES, COPIES = 10, 500  -- as many pictures as classes, each that many times

-- Half of the labels are random: a loss that falls to nothing would make gradients so small that processors are slow
-- with them.
local function make_labels(count)
  local labels = {}
  for i = 1, count do labels[i] = math.random() < 0.5 and (i - 1) % CLASSES or math.random(0, CLASSES - 1) end
  return icl.tensor(labels, { dtype = "i64" })
end

-- Random pictures of 32 x 32 x 3, 15 MB of them, so that gathering a batch does not find it in a core's own cache.
local function make_set()
  local bytes = {}
  for i = 1, CLASSES * 32 * 32 * 3 do bytes[i] = string.char(math.random(0, 255)) end
  return icl.data.set {
    images = icl.tensor(table.concat(bytes):rep(COPIES), { dtype = "u8", shape = { CLASSES * COPIES, 32, 32, 3 } }),
    labels = make_labels(CLASSES * COPIES),
    classes = CLASSES, mean = { 0.5, 0.5, 0.5 }, std = { 0.29, 0.29, 0.29 },
  }
end

local function make_model(set)
  local options = { input = set.shape, classes = set.classes }
  for name, number in opt.options:gmatch "([%w_]+)=(%d+)" do options[name] = math.tointeger(number) end
  return icl.models[opt.model](options)
end

local host_seconds = 0  -- of a step of the last turn, until all of it was handed to the device

-- Requests that need no training: each returns its answer.
local answers = {
  statistics = function()
    local words = { ("host_seconds=%.6f"):format(host_seconds) }
    for name, value in pairs(icl.statistics()) do words[#words + 1] = name .. "=" .. value end
    return table.concat(words, " ")
  end,
  profile = function()
    local text = core.profile()
    return select(2, text:gsub("\n", "")) .. "\n" .. text:gsub("\n$", "")
  end,
}

local function say(...)
  io.write(table.concat({ ... }, " "), "\n")
  io.flush()
end

-- Answers requests up to the next for training: how many steps that is, or nil at the end of the input.
local function requested_steps()
  for line in io.lines() do
    local count = math.tointeger(line:match "^step (%d+)$")
    if count then return count end
    say(answers[line]())
  end
end

-- Turns as a whole: a device may compute while steps are recorded, so only the end of the last one is known.
local function serve_ready(model, optimizer, scaler)
  local dtype = opt.precision == "tf32" and "f32" or opt.precision
  local images, labels = icl.random.normal { opt.batch, 32, 32, 3 }:cast(dtype), {}
  for i = 1, 8 do labels[i] = make_labels(opt.batch) end
  local function step(target)
    local loss = icl.loss.cross_entropy(model(images), target)
    scaler:backward(loss)
    scaler:step(optimizer, opt.lr)
    return loss
  end
  local taken = 0
  for count in requested_steps do
    local started, loss = core.clock(), nil
    for _ = 1, count do
      taken = taken + 1
      loss = icl.step(step, labels[taken % #labels + 1])
    end
    host_seconds = (core.clock() - started) / count
    local value = loss:item()
    local seconds = ("%.6f"):format((core.clock() - started) / count)
    say(("%.6f"):format(value), (seconds .. " "):rep(count))
  end
end

local last_loss -- run.last begins anew with each epoch
local seconds, left, started = {}, 0, nil

-- To be called at the start of each turn: takes the time of the one before, and waits for a request when none is left.
-- Returns false at the end of the input.
local function clock_turn()
  if started then seconds[#seconds + 1] = ("%.6f"):format(core.clock() - started) end
  if left == 0 then
    if started then say(("%.6f"):format(last_loss), table.unpack(seconds)) end
    seconds, left = {}, requested_steps()
  end
  if not left then return false end
  left, started = left - 1, core.clock()
  return true
end

local function serve_loader(model, optimizer, scaler, set)
  local loader = icl.data.loader(set, { batch_size = opt.batch, training = true,
                                        chain = icl.augment.from_options(opt, set, { training = true }) })
  local run = icl.run { epochs = math.maxinteger, quiet = true,
                        sinks = { { turn = function(_, run) last_loss = run.last.loss end } } }
  for _ in run:epochs() do
    for batch in run:batches(loader) do
      if not clock_turn() then return end
      local loss = icl.loss.cross_entropy(model(batch.image), batch.target)
      scaler:backward(loss)
      scaler:step(optimizer, opt.lr)
      run:log { loss = loss }
    end
  end
end

local set = opt.ready and { shape = { 32, 32, 3 }, classes = CLASSES } or make_set()
local model = make_model(set)
local optimizer = icl.optim.sgd(model, { momentum = 0.9, nesterov = true, weight_decay = 1e-4 })
collectgarbage()
say("ready", model:count(), "icl")
local serve = opt.ready and serve_ready or serve_loader
serve(model, optimizer, icl.grad_scaler { enabled = opt.precision == "f16" }, set)
