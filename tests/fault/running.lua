-- running.lua --output FOLDER or --resume FOLDER: a run of three steps that is saved after each of them, while calls of
-- the system may fail. With STOP=1 it ends in the second step, with FREE=FILE that file is removed in the third. Places
-- of files that are open must be as many afterwards as before.
local icl = require "icl"
local core = require "icl.core"

local opt = icl.options "a run while calls fail" : include(icl.options.runtime) : parse(arg)
local images = icl.arange(6 * 16):reshape(6, 4, 4, 1):cast "u8"
local labels = icl.tensor { 0, 1, 0, 1, 0, 1 }:cast "i64"
local set = icl.data.set { images = images, labels = labels, classes = 2, mean = { 0 }, std = { 1 } }
local loader = icl.data.loader(set, { batch_size = 2, training = true })
local nn = icl.nn
local model = nn.sequential(nn.conv2d(1, 1024, 3), nn.global_avg_pool(), nn.linear(1024, 2))
local optimizer = icl.optim.sgd(model, { momentum = 0.9 })

local function learn(image, target)
  icl.loss.cross_entropy(model(image), target):backward()
end

-- Made before anything fails: oneDNN, which the engine asks about the processor, ends the process without memory.
icl.step(function() learn(icl.zeros { 2, 4, 4, 1 }, icl.zeros({ 2 }):cast "i64") end)

-- How many files are open.
local function open_places()
  collectgarbage()
  collectgarbage()
  return #assert(core.list_folder "/proc/self/fd")
end

local function train()
  local run = icl.run { output = opt.output, resume = opt.resume, save_every = "1step", quiet = true,
                        keep = { model = model, optimizer = optimizer } }
  for _ in run:epochs() do
    for batch in run:batches(loader) do
      learn(batch.image, batch.target)
      if os.getenv "STOP" and run.step == 1 then error "stopped as was asked for" end
      if os.getenv "FREE" and run.step == 2 then assert(os.remove(os.getenv "FREE")) end
      optimizer:step(0.01)
      run:log { loss = 1 }
    end
    run:report { train = run.average, test = { top1 = 1 } }
  end
end

local before = open_places()
os.remove "/fault/arm"
local ok, message = pcall(train)
os.remove "/fault/disarm"
train = nil
local after = open_places()
if after ~= before then error(("%d files are open, and %d were"):format(after, before)) end
if not ok then error(message, 0) end
