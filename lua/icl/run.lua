-- run.lua: loops over batches in which each pass of the body is one step.
--
--   local run = icl.run { epochs = 10, model = model }
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
-- Where an error or Ctrl-C ended the loops, the same loops entered again go on behind the last pass that was finished.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local places = require "icl.internal.places"

local Run = {}
Run.__index = Run

-- icl.run { epochs = 1, model =, watch = function(run, loop) } -> a run. Fields: epoch (from 1), last_epoch, step
-- (updates done so far; 0 in the first pass), last and average (of the values that were logged in this loop, by name;
-- averages weigh a pass that logged the value by its images). The model, if one is given, is in training mode in each
-- pass over a training loader, in evaluation mode in others. watch is called after each pass with { loader =, number =,
-- images =, started = }.
local function new(given)
  local options = arguments.options("icl.run", given, { epochs = 1 }, { "model", "watch" })
  local last_epoch = arguments.integer("icl.run: epochs", options.epochs, 1)
  local name = places.name "run"
  return setmetatable({ model = options.model, watch = options.watch, epoch = 0, last_epoch = last_epoch, step = 0,
                        last = {}, average = {}, name = name, place = name, loops = {}, loops_of_epoch = 0 }, Run)
end

-- An epoch that an error ended goes on, and what was finished in it is not done again.
local epochs_class = {
  __close = function(epochs, failure)
    local run = epochs.run
    if failure == nil or run.epoch == 0 then return end
    run.goes_on = true
    for _, loop in pairs(run.loops) do loop.goes_on = true end
  end,
}

-- for epoch in run:epochs() do ... end: 1, 2, ..., run.last_epoch.
function Run:epochs()
  return function()
    if not self.goes_on then
      if self.epoch == self.last_epoch then return nil end
      self.loops_of_epoch = 0
      self.epoch = self.epoch + 1
    end
    self.place = ("%s.epoch%d"):format(self.name, self.epoch)
    places.move(self.place)
    self.goes_on = false
    return self.epoch
  end, nil, nil, setmetatable({ run = self }, epochs_class)
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

-- Counts a pass whose step has ended. Ctrl-C may come between any two lines, and then this is done once more.
local function count(loop)
  if not loop.ended then return end
  loop.finished = loop.number
  loop.run.step = loop.next_step
end

-- Draws belong to the place around the loop again.
local function leave(loop)
  if not loop.inside then return end
  loop.inside = false
  places.leave()
end

-- Ends the step of a pass: evaluates it, reads what was logged.
local function commit(loop)
  if not loop.batch then return end
  local run = loop.run
  leave(loop)
  core.step_end(loop)
  loop.open = false
  count(loop)
  collect(loop)
  loop.batch, run.pending = nil, nil
  if run.watch then run.watch(run, loop) end
end

-- Drops the step of a pass.
local function cancel(loop)
  leave(loop)
  if loop.open and core.in_step() then core.step_cancel() end
  count(loop)
  loop.open, loop.batch, loop.run.pending = false, nil, nil
end

local function advance(loop)
  commit(loop)
  local index, number, decoded = loop.next()
  if not index then return nil end
  local run, training = loop.run, loop.loader.training == true
  if run.model and run.model.training ~= training then run.model:train(training) end
  loop.ended = false  -- before what count() takes changes
  loop.number, loop.next_step = number, run.step + (training and 1 or 0)
  loop.open = not core.in_step()  -- otherwise the next line fails, and that step is not ours
  core.step_begin()
  run.pending = {}
  places.enter_step(loop.place, number)
  loop.inside = true
  loop.batch = loop.loader:batch(index, run.epoch, number, decoded, loop.place)
  return loop.batch
end

local loop_class = {
  __close = function(loop, failure)
    local stream <close> = loop.stream
    if failure == nil and loop.open then commit(loop) else cancel(loop) end
    if failure == nil then loop.finished, loop.goes_on = loop.loader.batches, false end
  end,
}

-- The last loop over a loader, if it is of this epoch and goes on.
local function unfinished(run, loader)
  local loop = run.loops[loader]
  return loop and loop.goes_on and loop.epoch == run.epoch and loop or nil
end

-- for batch in run:batches(loader) do ... end: the batches of the current epoch; each pass is one step. Passes over a
-- training loader count in run.step.
function Run:batches(loader)
  local before = unfinished(self, loader)
    or { finished = 0, images = 0, last = {}, average = {}, logged = {}, of_epoch = self.loops_of_epoch + 1 }
  local place = ("%s.loop%d"):format(self.place, before.of_epoch)
  places.enter(place, 0)
  local outside <close> = places.leaving
  local next_index, _, _, stream = loader:indices(self.epoch, before.finished)
  local loop = setmetatable({
    run = self, loader = loader, epoch = self.epoch, next = next_index, stream = stream, started = core.clock(),
    number = before.finished, finished = before.finished, images = before.images, last = before.last,
    average = before.average, logged = before.logged, place = place,
    of_epoch = before.of_epoch, goes_on = true,
  }, loop_class)
  self.last, self.average, self.loops[loader] = loop.last, loop.average, loop
  self.loops_of_epoch = math.max(self.loops_of_epoch, loop.of_epoch)
  return advance, loop, nil, loop
end

return new
