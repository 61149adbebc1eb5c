-- run.lua: loops over batches in which each turn is one step.
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
-- What the body does is recorded and evaluated when the turn ends; `break` and `return` end it too, an error drops it.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local random = require "icl.random"

local Run = {}
Run.__index = Run

-- Steps of evaluation get numbers of their own, so that draws in them are not those of a training step.
local EVALUATION = 1 << 31

-- icl.run { epochs = 1, watch = function(run, turn) } -> a run. Fields: epoch (from 1), last_epoch, step (updates done
-- so far; 0 in the first turn), last and average (of the values that were logged in this loop, by name; averages weigh
-- a turn by its images). watch is called after each turn with { loader =, number =, images =, started = }.
local function new(given)
  local options = arguments.options("icl.run", given, { epochs = 1 }, { "watch" })
  local last_epoch = arguments.integer("icl.run: epochs", options.epochs, 1)
  return setmetatable({ watch = options.watch, epoch = 0, last_epoch = last_epoch, step = 0, last = {}, average = {} },
    Run)
end

-- for epoch in run:epochs() do ... end: 1, 2, ..., run.last_epoch.
function Run:epochs()
  return function()
    if self.epoch == self.last_epoch then return nil end
    self.epoch = self.epoch + 1
    return self.epoch
  end
end

-- run:log { name = value, ... }: values of this turn, numbers or tensors of one element, which are kept. A `loss`
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

-- Reads what the turn logged and adds it to the averages.
local function collect(turn)
  local run, images = turn.run, turn.batch:size()
  local weight = images / (turn.images + images)
  for name, value in pairs(run.pending) do
    if type(value) == "userdata" then value = value:item() end
    if name == "loss" then check_loss(run, value) end
    local average = run.average[name] or value
    run.last[name], run.average[name] = value, average + (value - average) * weight
  end
  turn.images = turn.images + images
end

-- Ends the step of a turn: evaluates it, reads what was logged.
local function commit(turn)
  if not turn.batch then return end
  local run = turn.run
  turn.open = false
  core.step_end()
  if turn.loader.training then run.step = run.step + 1 end
  collect(turn)
  turn.batch, run.pending = nil, nil
  if run.watch then run.watch(run, turn) end
end

-- Drops the step of a turn.
local function cancel(turn)
  if turn.open then core.step_cancel() end
  turn.open, turn.batch, turn.run.pending = false, nil, nil
end

local function advance(turn)
  commit(turn)
  local index, number, decoded = turn.next()
  if not index then return nil end
  local run = turn.run
  turn.number = number
  core.step_begin()
  turn.open, run.pending = true, {}
  random.step(turn.loader.training and run.step or EVALUATION + turn.number)
  turn.batch = turn.loader:batch(index, run.epoch, number, decoded)
  return turn.batch
end

local turn_class = {
  __close = function(turn, failure)
    local stream <close> = turn.stream
    if failure == nil and turn.open then commit(turn) else cancel(turn) end
  end,
}

-- for batch in run:batches(loader) do ... end: the batches of the current epoch; each turn is one step. Turns over a
-- training loader count in run.step.
function Run:batches(loader)
  self.last, self.average = {}, {}
  local next_index, _, _, stream = loader:indices(self.epoch)
  local turn = setmetatable({ run = self, loader = loader, next = next_index, stream = stream, number = 0, images = 0,
                              started = core.clock() }, turn_class)
  return advance, turn, nil, turn
end

return new
