-- run/loop.lua: a loop over the batches of a loader; each pass of its body is one step.
--
-- What a loop has done is its record, which outlives it: where an error, a signal or the end of the process ended the
-- loop, one that is entered with that record goes on behind the last pass that was finished.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local nn = require "icl.nn.module"
local part = require "icl.internal.part"
local places = require "icl.internal.places"
local processes = require "icl.internal.processes"
local shared = require "icl.run.shared"
local signals = require "icl.run.signals"

-- loop.record(of_epoch) -> the record of a loop that has not begun. of_epoch: which loop of its epoch it is, from 1.
-- finished: passes; images: in these; last, average, logged: the values that were logged, by name, their averages, and
-- the images that each average has seen; done: did the loop come to its end?
local function record(of_epoch)
  return { of_epoch = of_epoch, finished = 0, images = 0, last = {}, average = {}, logged = {}, done = false }
end

local function check_loss(run, loss)
  if loss ~= loss or loss == math.huge or loss == -math.huge then
    fail("the loss is %s in step %d (epoch %d): lower the learning rate, or use --check-nan to see which op made it",
      loss, run.step, run.epoch)
  end
end

-- Adds values of so many images to the averages.
local function add(record, values, images)
  for name, value in pairs(values) do
    local average, seen = record.average[name] or value, (record.logged[name] or 0) + images
    record.last[name], record.average[name] = value, average + (value - average) * images / seen
    record.logged[name] = seen
  end
  record.images = record.images + images
end

-- Reads what a pass logged and adds it to the averages.
local function collect(loop)
  local run, values, images = loop.run, {}, loop.batch:whole_size()
  for name, value in pairs(run.pending) do
    if type(value) == "userdata" then value = value:item() end
    if name == "loss" and loop.training then check_loss(run, value) end
    values[name] = value
  end
  add(loop.record, values, images)
  loop.images = loop.record.images
  if loop.loader.shared then shared.note(loop.record, loop.number, images, values) end
end

-- Counts a pass whose step has ended. Ctrl-C may come between any two lines, and then this is done once more.
local function count(loop)
  if not loop.ended then return end
  loop.record.finished = loop.number
  loop.run.step = loop.next_step
end

-- Draws belong to the place around the loop again.
local function leave(loop)
  local inside = loop.inside
  loop.inside = nil
  part.leave()
  if inside then places.leave(inside) end
end

-- Notes that a loop is over, although there may be batches left: one that goes on does not enter it again.
local function finish(loop)
  loop.record.finished, loop.record.goes_on, loop.record.done = loop.loader.batches, false, true
end

-- A warning, once a run, where a pass has gradients that nobody used: they end with it.
local function tell_of_waste(run)
  if run.told_waste or not core.step_wastes_gradients() then return end
  run.told_waste = true
  run:warn(("step %d computed gradients and no optimizer used them: they end with the pass, and do not add up over "
    .. "passes; the parts of a large batch belong into one pass, in a loop over batch:chunks(n)"):format(run.step))
end

-- Ends the step of a pass: evaluates it, reads what was logged. leaves: it is the last one of the loop, which the state
-- that is saved behind it must know.
local function commit(loop, leaves)
  if not loop.batch then return end
  local run = loop.run
  leave(loop)
  if loop.training then
    tell_of_waste(run)
    signals.tell()
  end
  core.step_end(loop)
  loop.open = false
  count(loop)
  collect(loop)
  if leaves then finish(loop) end
  loop.batch, run.pending = nil, nil
  run:turned(loop)
end

-- Drops the step of a pass.
local function cancel(loop)
  leave(loop)
  if loop.open and core.in_step() then core.step_cancel() end
  count(loop)
  loop.open, loop.batch, loop.run.pending = false, nil, nil
end

-- Of a batch that all processes train on this one computes a part.
local function enter_part(loop)
  if not (loop.training and processes.are_several()) then return end
  local own = loop.batch:part()
  own.own = own.count
  part.enter(own)
end

-- The end of an evaluation that is shared out. All leave it, and the run, where one came to a signal to stop.
local function join(loop, stop)
  local record = loop.record
  local signal = shared.join(record, loop.loader.batches, stop, function(values, images)
    add(record, values, images)
  end)
  loop.images = record.images
  if signal then signals.obey(signal) end
end

-- Puts the model into the mode of the loop. An evaluation gives all layers back the modes that they had, of which those
-- of some may be others than the model's.
local function set_mode(loop, model)
  if not model or model.training == loop.training then return end
  if not loop.training and not loop.modes then loop.modes = nn.keep_modes { model } end
  model:train(loop.training)
end

local function advance(loop)
  commit(loop)
  local index, number, decoded, fields
  local stop = loop.loader.shared and signals.stopping()
  if not stop then index, number, decoded, fields = loop.next() end
  if not index then
    if loop.loader.shared then join(loop, stop) end
    return nil
  end
  local run, training = loop.run, loop.training
  set_mode(loop, run.model)
  loop.ended = false  -- before what count() takes changes
  loop.number, loop.next_step = number, run.step + (training and 1 or 0)
  loop.open = not core.in_step()  -- otherwise the next line fails, and that step is not ours
  core.step_begin()
  run.pending = {}
  loop.inside = places.enter_step(loop.place, number)
  loop.batch = loop.loader:batch(index, run.epoch, number, decoded, loop.place, fields)
  enter_part(loop)
  return loop.batch
end

-- was_left(failure) -> was a loop left on purpose? To be called by what closes it, with what that is given. An error is
-- no purpose, nor is the end of the whole thread, by os.exit(code, true) or coroutine.close: no function is around the
-- loop any more.
local function was_left(failure)
  return failure == nil and debug.getinfo(3, "l") ~= nil
end

local loop_class = {
  __close = function(loop, failure)
    local stream <close> = loop.stream
    local modes <close> = loop.modes
    local left = was_left(failure)
    if left and loop.open then commit(loop, true) else cancel(loop) end
    if left then finish(loop) end
    loop.run:left(loop)
  end,
}

-- loop.enter(run, loader, record) -> what a `for` takes: the batches behind those that the record counts.
local function enter(run, loader, record)
  local place = ("%s.loop%d"):format(run.place, record.of_epoch)
  places.enter(place, 0)
  local outside <close> = places.leaving
  local next_index, _, _, stream = loader:indices(run.epoch, record.finished)
  local loop = setmetatable({
    run = run, loader = loader, training = loader.training == true, record = record, next = next_index, stream = stream,
    started = core.clock(), number = record.finished, images = record.images,
    images_before = record.images, place = place,
  }, loop_class)
  return advance, loop, nil, loop
end

return { record = record, enter = enter, was_left = was_left }
