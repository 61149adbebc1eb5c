-- run.lua: loops over batches in which each pass of the body is one step.
--
--   local run = icl.run { epochs = 10 }
--   for epoch in run:epochs() do
--     for batch in run:batches(loader) do
--       local loss = icl.loss.cross_entropy(model(batch.image), batch.target)
--       loss:backward()
--       optimizer:step(schedule(run.step))
--       run:log { loss = loss }
--     end
--     print(epoch, run.average.loss)
--   end
--
-- What the body does is recorded and evaluated when its pass ends; `break` and `return` end it too, an error drops it.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local random = require "icl.random"

local Run = {}
Run.__index = Run

-- icl.run { epochs = 1, watch = function(run, loop) } -> a run. Fields: epoch (from 1), last_epoch, step (updates done
-- so far; 0 in the first pass), last and average (of the values that were logged in this loop, by name; averages weigh
-- a pass that logged the value by its images). watch is called after each pass with { loader =, number =, images =,
-- started = }.
local function new(given)
  local options = arguments.options("icl.run", given, { epochs = 1 }, { "watch" })
  local last_epoch = arguments.integer("icl.run: epochs", options.epochs, 1)
  local name = random.name "run"
  return setmetatable({ watch = options.watch, epoch = 0, last_epoch = last_epoch, step = 0, last = {}, average = {},
                        name = name, place = name, loops = 0 }, Run)
end

-- for epoch in run:epochs() do ... end: 1, 2, ..., run.last_epoch.
function Run:epochs()
  return function()
    if self.epoch == self.last_epoch then return nil end
    self.epoch, self.loops = self.epoch + 1, 0
    self.place = ("%s.epoch%d"):format(self.name, self.epoch)
    random.move(self.place)
    return self.epoch
  end
end

-- run:log { name = value, ... }: values of this pass, numbers or tensors of one element, which are kept. A `loss`
-- that is not finite stops the run.
function Run:log(values)
  if not self.pending then fail "run:log: it belongs into the body of a loop over run:batches()" end
  for name, value in pairs(values) do
    if type(value) == "userdata" then value:keep() end
    self.pending[name] = value
  end
end

local function check_loss(run, loss)
  if loss ~= loss or loss == math.huge or loss == -math.huge then
    fail("the loss is %s in step %d (epoch %d): lower the learning rate, or use --check-nan to see which op made it",
      loss, run.step, run.epoch)
  end
end

-- Reads what a pass logged and adds it to the averages.
local function collect(loop)
  local run, images = loop.run, loop.batch:size()
  for name, value in pairs(run.pending) do
    if type(value) == "userdata" then value = value:item() end
    if name == "loss" then check_loss(run, value) end
    local average, seen = run.average[name] or value, (loop.logged[name] or 0) + images
    run.last[name], run.average[name] = value, average + (value - average) * images / seen
    loop.logged[name] = seen
  end
  loop.images = loop.images + images
end

-- Ends the step of a pass: evaluates it, reads what was logged.
local function commit(loop)
  if not loop.batch then return end
  local run = loop.run
  loop.open = false
  random.leave()
  core.step_end()
  if loop.loader.training then run.step = run.step + 1 end
  collect(loop)
  loop.batch, run.pending = nil, nil
  if run.watch then run.watch(run, loop) end
end

-- Drops the step of a pass.
local function cancel(loop)
  if loop.open then
    core.step_cancel()
    random.leave()
  end
  loop.open, loop.batch, loop.run.pending = false, nil, nil
end

local function advance(loop)
  commit(loop)
  local index, number, decoded = loop.next()
  if not index then return nil end
  local run = loop.run
  loop.number = number
  core.step_begin()
  loop.open, run.pending = true, {}
  random.enter(loop.place, number)
  loop.batch = loop.loader:batch(index, run.epoch, number, decoded, loop.place)
  return loop.batch
end

local loop_class = {
  __close = function(loop, failure)
    local stream <close> = loop.stream
    if failure == nil and loop.open then commit(loop) else cancel(loop) end
  end,
}

-- for batch in run:batches(loader) do ... end: the batches of the current epoch; each pass is one step. Passes over a
-- training loader count in run.step.
function Run:batches(loader)
  self.last, self.average, self.loops = {}, {}, self.loops + 1
  local place = ("%s.loop%d"):format(self.place, self.loops)
  random.enter(place, 0)
  local leave <close> = random.leaving
  local next_index, _, _, stream = loader:indices(self.epoch)
  local loop = setmetatable({ run = self, loader = loader, next = next_index, stream = stream, number = 0, images = 0,
                              logged = {}, place = place, started = core.clock() }, loop_class)
  return advance, loop, nil, loop
end

return new
