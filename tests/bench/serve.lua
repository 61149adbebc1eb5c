-- serve.lua: icl as a contender of the benchmark. It trains one network on a set of images made up here, through the
-- loader and the augmentation of the recipes, or with --ready on one batch without them, or with --evaluate passes such
-- a batch forward, and answers requests on standard input, as README.md describes.
local core = require "icl.core"
local icl = require "icl"

-- Standard output is for answers.
function print(...) io.stderr:write(table.concat({ ... }, "\t"), "\n") end

local opt = icl.options "A contender of the benchmark"
  : choice("model", "resnet_preact", icl.models.names, "the network")
  : value("options", "depth=20", "its options: NAME=VALUE,NAME=VALUE")
  : value("size", 32, "height and width of the images", { min = 1 })
  : value("batch", 128, "images a step", { min = 1 })
  : value("lr", 0.01, "learning rate", { min = 0 })
  : flag("ready", false, "train on one batch, which lies on the device, and take the time of a turn as a whole")
  : flag("evaluate", false, "pass one batch forward in evaluation mode")
  : include(icl.options.augmentation, icl.options.runtime)
  : parse(arg)

math.randomseed(0)
local CLASSES = 10  -- and as many pictures

-- Half of the labels are random: a loss that falls to nothing would make gradients so small that processors are slow
-- with them.
local function make_labels(count)
  local labels = {}
  for i = 1, count do labels[i] = math.random() < 0.5 and (i - 1) % CLASSES or math.random(0, CLASSES - 1) end
  return icl.tensor(labels, { dtype = "i64" })
end

local image_shape = { opt.size, opt.size, 3 }

-- Random pictures, each many times: two batches at least, and 15 MB, so that gathering a batch does not find it in a
-- core's own cache.
local function make_set()
  local bytes, length = {}, opt.size * opt.size * 3
  for i = 1, CLASSES * length do bytes[i] = string.char(math.random(0, 255)) end
  local copies = math.max(15360000 // length, 2 * opt.batch) // CLASSES + 1
  return icl.data.set {
    images = icl.tensor(table.concat(bytes):rep(copies),
      { dtype = "u8", shape = { CLASSES * copies, table.unpack(image_shape) } }),
    labels = make_labels(CLASSES * copies),
    classes = CLASSES, mean = { 0.5, 0.5, 0.5 }, std = { 0.29, 0.29, 0.29 },
  }
end

local function make_model()
  local options = { input = image_shape, classes = CLASSES }
  for name, value in opt.options:gmatch "([%w_]+)=(%w+)" do options[name] = math.tointeger(value) or value end
  return icl.models[opt.model](options)
end

-- A batch that needs no loader.
local function make_images()
  local dtype = opt.precision == "tf32" and "f32" or opt.precision
  return icl.random.normal { opt.batch, table.unpack(image_shape) }:cast(dtype)
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

-- Answers requests up to the next for training: how many steps that is, or nil at the end of the input. Of several
-- processes the first one is asked, and the others follow it.
local function requested_steps()
  if icl.distributed.rank() > 0 then return math.maxinteger end
  for line in io.lines() do
    local count = math.tointeger(line:match "^step (%d+)$")
    if count then return count end
    say(answers[line]())
  end
end

-- Turns as a whole: a device may compute while steps are recorded, so only the end of the last one is known.
local function serve_ready(images, model, optimizer, scaler)
  local labels = {}
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

-- The time of a pass ends when its logits are known.
local function serve_evaluation(images, model)
  model:eval()
  local function pass() return model(images) end
  for count in requested_steps do
    local seconds, logits = {}, nil
    for i = 1, count do
      local started = core.clock()
      logits = icl.step(icl.no_grad, pass)
      seconds[i] = ("%.6f"):format(core.clock() - started)
    end
    say(("%.6f"):format(logits:cast("f32"):mean():item()), table.unpack(seconds))
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

local function serve_loader(set, model, optimizer, scaler)
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

local model = make_model()
local optimizer = icl.optim.sgd(model, { momentum = 0.9, nesterov = true, weight_decay = 1e-4 })
local serve = opt.evaluate and serve_evaluation or opt.ready and serve_ready or serve_loader
local data = (opt.evaluate or opt.ready) and make_images() or make_set()
collectgarbage()
say("ready", model:count(), "icl")
serve(data, model, optimizer, icl.grad_scaler { enabled = opt.precision == "f16" })
