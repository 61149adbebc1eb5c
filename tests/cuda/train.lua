-- train.lua: trains a network for some steps and prints the loss of each, a digest of its state and the accuracy on
-- images that it has not seen, so that runs on two devices, or two runs on one, can be compared.
--
--   icl tests/cuda/train.lua --device cuda --images FILE [OPTION...]
local core = require "icl.core"
local icl = require "icl"

local opt = icl.options "Some training steps, loss by loss"
  : choice("model", "resnet_preact", icl.models.names, "the network")
  : value("options", "depth=20", "its options: NAME=NUMBER,NAME=NUMBER")
  : value("images", nil,
      "file of CIFAR-10 records, the last fifth is evaluated; without it images are made up", { type = "path" })
  : value("steps", 20, "training steps", { min = 1 })
  : value("batch", 128, "images a step", { min = 2 })
  : value("lr", 0.05, "learning rate at the start; it falls as a cosine", { min = 0 })
  : include(icl.options.augmentation, icl.options.runtime)
  : parse(arg)

local RECORD, SIDE, CHANNELS, CLASSES = 3073, 32, 3, 10  -- a record: label, then the image by channels

local function read_records(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read "a"
  file:close()
  return bytes
end

local function make_records()
  local records = {}
  math.randomseed(0)
  for i = 1, 1280 do
    local row = { string.char(i % CLASSES) }
    for k = 2, RECORD do row[k] = string.char(math.random(0, 255)) end
    records[i] = table.concat(row)
  end
  return table.concat(records)
end

-- Records first .. last as a set.
local function set_of(bytes, first, last)
  local count = last - first + 1
  local part = bytes:sub((first - 1) * RECORD + 1, last * RECORD)
  local rows = icl.tensor(part, { dtype = "u8", shape = { count, RECORD } })
  return icl.data.set {
    images = rows:narrow(2, 2, RECORD - 1):reshape(count, CHANNELS, SIDE, SIDE):permute(1, 3, 4, 2),
    labels = rows:narrow(2, 1, 1):reshape(count):cast "i64",
    classes = CLASSES, mean = { 0.4914, 0.4822, 0.4465 }, std = { 0.2470, 0.2435, 0.2616 },
  }
end

local bytes = opt.images and read_records(opt.images) or make_records()
local count = #bytes // RECORD
local train, test = set_of(bytes, 1, count - count // 5), set_of(bytes, count - count // 5 + 1, count)

local options = { input = train.shape, classes = CLASSES }
for name, number in opt.options:gmatch "([%w_]+)=(%d+)" do options[name] = math.tointeger(number) end
local model = icl.models[opt.model](options)
local scaler = icl.grad_scaler { enabled = opt.precision == "f16" }
local optimizer = icl.optim.sgd(model, { momentum = 0.9, nesterov = true, weight_decay = 1e-4 })
local loader = icl.data.loader(train, { batch_size = opt.batch, training = true,
                                        chain = icl.augment.from_options(opt, train, { training = true }) })

local shown  -- the run tells of its last step twice
local printer = { turn = function(_, run)
  if run.step ~= shown and run.step <= opt.steps then print(("loss %d %.9g"):format(run.step, run.last.loss)) end
  shown = run.step
end }
local run = icl.run { epochs = math.maxinteger, quiet = true, sinks = { printer } }
local function learn()
  for _ in run:epochs() do
    for batch in run:batches(loader) do
      if run.step >= opt.steps then return end
      local loss = icl.loss.cross_entropy(model(batch.image), batch.target)
      scaler:backward(loss)
      scaler:step(optimizer, opt.lr * 0.5 * (1 + math.cos(math.pi * run.step / opt.steps)))
      run:log { loss = loss }
    end
  end
end
learn()

local words = {}
for i, entry in ipairs(model:named_states()) do words[i] = ("%08x"):format(core.hash32(entry.state:bytes())) end
print(("digest %08x of %d states"):format(core.hash32(table.concat(words)), #words))
local chain = icl.augment.from_options(opt, test)
print(("accuracy %.4f of %d images"):format(icl.evaluate(model, test, { chain = chain }).top1, test.count))
