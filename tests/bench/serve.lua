-- serve.lua: icl as a contender of the benchmark. It trains one network on a set of images made up here, through the
-- loader and the augmentation of the recipes, and answers requests on standard input, as README.md describes.
local core = require "icl.core"
local icl = require "icl"

local opt = icl.options "A contender of the benchmark"
  : choice("model", "resnet_preact", icl.models.names, "the network")
  : value("options", "depth=20", "its options: NAME=NUMBER,NAME=NUMBER")
  : value("batch", 128, "images a step", { min = 2 })
  : value("lr", 0.01, "learning rate", { min = 0 })
  : include(icl.options.augmentation, icl.options.runtime)
  : parse(arg)

math.randomseed(0)
local CLASSES, COPIES = 10, 500  -- as many pictures as classes, each that many times

-- Random pictures of 32 x 32 x 3, 15 MB of them, so that gathering a batch does not find it in a core's own cache. Half
-- of the labels are random: a loss that falls to nothing would make gradients so small that processors are slow with
-- them.
local function make_set()
  local bytes = {}
  for i = 1, CLASSES * 32 * 32 * 3 do bytes[i] = string.char(math.random(0, 255)) end
  local labels = {}
  for i = 1, CLASSES * COPIES do
    labels[i] = math.random() < 0.5 and (i - 1) % CLASSES or math.random(0, CLASSES - 1)
  end
  return icl.data.set {
    images = icl.tensor(table.concat(bytes):rep(COPIES), { dtype = "u8", shape = { CLASSES * COPIES, 32, 32, 3 } }),
    labels = icl.tensor(labels, { dtype = "i64" }),
    classes = CLASSES, mean = { 0.5, 0.5, 0.5 }, std = { 0.29, 0.29, 0.29 },
  }
end

local function make_model(set)
  local options = { input = set.shape, classes = set.classes }
  for name, number in opt.options:gmatch "([%w_]+)=(%d+)" do options[name] = math.tointeger(number) end
  return icl.models[opt.model](options)
end

-- Requests that need no training: each returns its answer.
local answers = {
  statistics = function()
    local words = {}
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

local set = make_set()
local model = make_model(set)
local loader = icl.data.loader(set, { batch_size = opt.batch, training = true,
                                      chain = icl.augment.from_options(opt, set, { training = true }) })
local optimizer = icl.optim.sgd(model, { momentum = 0.9, nesterov = true, weight_decay = 1e-4 })
local scaler = icl.grad_scaler { enabled = opt.precision == "f16" }
local last_loss -- run.last begins anew with each epoch
local run = icl.run { epochs = math.maxinteger, quiet = true,
                      sinks = { { turn = function(_, run) last_loss = run.last.loss end } } }
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

collectgarbage()
say("ready", model:count(), "icl")
for _ in run:epochs() do
  for batch in run:batches(loader) do
    if not clock_turn() then return end
    local loss = icl.loss.cross_entropy(model(batch.image), batch.target)
    scaler:backward(loss)
    scaler:step(optimizer, opt.lr)
    run:log { loss = loss }
  end
end
