-- run: loops over batches in which each pass of the body is one step; what they trained is kept in files, from which a
-- run that ended anywhere goes on.
--
--   local run = icl.run { epochs = 10, output = "runs/mine", keep = { model = model, optimizer = optimizer } }
--   for epoch in run:epochs() do
--     for batch in run:batches(loader) do
--       local loss = icl.loss.cross_entropy(model(batch.image), batch.target)
--       loss:backward()
--       optimizer:step(schedule(run.step))
--       run:log { loss = loss }
--     end
--     run:report { train = run.average }
--   end
--
-- What the body does is recorded and evaluated when its pass ends; `break` and `return` end it too, an error drops it.
-- Where an error, a signal or the end of the process ended the loops, the same loops entered again go on behind the
-- last pass that was finished: in this process, or in another one with `resume`.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local adopt = require "icl.run.adopt"
local agreement = require "icl.run.agreement"
local arguments = require "icl.internal.arguments"
local changes = require "icl.run.changes"
local checkpoint = require "icl.run.checkpoint"
local dtypes = require "icl.internal.dtypes"
local is_loader = require "icl.internal.is_loader"
local loop = require "icl.run.loop"
local new_output = require "icl.run.output"
local outcome = require "icl.internal.outcome"
local places = require "icl.internal.places"
local processes = require "icl.internal.processes"
local states_of = require "icl.internal.states_of"
local reports = require "icl.run.reports"
local saver = require "icl.run.saver"
local signals = require "icl.run.signals"
local sinks = require "icl.sinks"
local unread = require "icl.options.unread"
local usage = require "icl.internal.usage"

local Run = {}
Run.__index = Run

local defaults = { epochs = 1, save_every = "10 min", keep_epochs = 0, resume_anyway = false }
local others = { "quiet", "model", "keep", "output", "resume", "options", "sinks", "best", "loaders" }

local has_settings = checkpoint.has_settings

local function check_kept(name, thing)
  if type(name) ~= "string" or name:find "[^%w_]" then
    fail("icl.run: keep: %s is no name; it is written { model = model, optimizer = optimizer }", tostring(name))
  elseif type(thing) ~= "table" or not (thing.named_states or has_settings(thing)) then
    fail("icl.run: keep: %s is %s; it takes what has named_states() or settings(): a model, an optimizer, a schedule",
      name, arguments.described(thing))
  end
end

-- What is kept, by name: the table `keep`, and the model, which has the name `model`: under that evaluation finds it.
local function kept_of(options)
  local model, kept = options.model, {}
  local given = arguments.typed("icl.run: keep", options.keep or {}, "table", "a table of what is kept, by name")
  for name, thing in pairs(given) do
    check_kept(name, thing)
    if given.model ~= nil or thing ~= model then kept[name] = thing end
  end
  if kept.model == nil and model ~= nil then
    check_kept("model", model)
    kept.model = model
  elseif model ~= nil and kept.model ~= model then
    fail "icl.run: keep.model is another one than model; give one of them another name: keep = { teacher = ... }"
  end
  return kept
end

-- A note about a run of which no file of weights will be written.
local function tell_of_weights(run)
  if not run.folder or run.kept.model then return end
  for _, thing in pairs(run.kept) do
    if thing.named_parameters then
      return run:line "Note: there will be no weights.safetensors, since none of what is kept is named model"
    end
  end
end

local function check_others(options)
  if options.output ~= nil then arguments.typed("icl.run: output", options.output, "string", "the path of a folder") end
  for i, sink in ipairs(arguments.typed("icl.run: sinks", options.sinks or {}, "table", "a list of sinks")) do
    sinks.check(("icl.run: sink %d"):format(i), sink)
  end
  arguments.typed("icl.run: options", options.options or {}, "table", "the options of a command line")
  reports.decides(options.best)
  for i, loader in ipairs(arguments.typed("icl.run: loaders", options.loaders or {}, "table", "a list of loaders")) do
    if not is_loader(loader) then
      fail("icl.run: loaders: %d is %s; it must be a loader", i, arguments.described(loader))
    end
  end
end

-- What the options of a command line say, by what they are called there.
local of_options = { epochs = "epochs", output = "output", resume = "resume", resume_anyway = "resume_anyway",
                     save_every = "save_every", keep_epochs = "keep" }

-- What was given; options of a command line that were given stand in place of the defaults.
local function complete(given)
  local result = arguments.options("icl.run", given, defaults, others)
  check_others(result)
  for name, option in pairs(result.options and of_options or {}) do
    local value = result.options[option]
    if given[name] == nil and value ~= nil then result[name] = value end
  end
  return result
end

local function begin(given)
  processes.tell_if_apart()
  local options = complete(given)
  local when_saved = saver.plan(options)
  local name = places.name "run"
  local self = setmetatable({
    model = options.model, kept = kept_of(options), epoch = 0, step = 0, last = {}, average = {}, name = name,
    last_epoch = arguments.integer("icl.run: epochs", options.epochs, 1), epochs_asked = options.epochs, place = name,
    loops = {}, entered = 0, memory = {}, changes = {}, seconds = 0, began = core.clock(), loaders = {},
    options = options.options,
  }, Run)
  local before = options.resume and checkpoint.open(options.resume) or nil
  local state = before and before.state
  if state then
    checkpoint.restore(self, before, options.resume_anyway)
    checkpoint.check_loaders(self, options.loaders or {})
  end
  agreement.check(self, options.options or usage.latest())
  for _, name in ipairs(arguments.names(self.kept)) do processes.spread(states_of(self.kept[name])) end
  self.reports = reports.new(options.best, state and state.best, state and before.about.figures)
  self.best = self.reports.best
  self.output = new_output(self, options, before)
  self.saver = saver.new(self, when_saved)
  local note, problem
  if state and self.folder then note, problem = adopt(self, before) end  -- before anything is cut: it may fail
  self.output:open()
  if state then
    self:tell(checkpoint.notes(self, before))
    self:tell { note }
    if problem then self:warn(problem) end
  elseif before then
    self:line(("Note: the run in %s ended before its first save; it begins anew"):format(before.folder))
  end
  tell_of_weights(self)
  return self
end

-- Called where no file has the weights of the best figure.
function Run:forget_best()
  self.best, self.reports.best, self.saver.saved_best = nil, nil, nil
end

-- icl.run { epochs = 1, model =, keep = { name = thing }, output =, resume =, ... } -> a run.
--
-- model: in training mode in each pass over a training loader, in evaluation mode in others, behind which each layer
-- has the mode again that it had. keep: what a checkpoint holds, things with named_states() (models, optimizers,
-- averages) or settings() (schedules), and always the model, which has the name `model` there. output: the folder for
-- what the run writes; none unless given, and "" is the next free one of runs/NAME/NNN. resume: a folder of a run that
-- goes on here, or one of its checkpoints; `output` is that folder then unless it is given. resume_anyway = true goes
-- on where something differs. save_every = "10 min", "2 epochs" or "500 steps": how often the state is saved, besides
-- at the end, at signals, and where the best figure improved; saves by epochs have files of their own, of which the
-- last keep_epochs stay (0: all). best: the figure of reports that decides, "test.top1" or { figure = "val.cost", mode
-- = "min" }, where a larger one is better ("max") unless its name is one of icl.runs.figures.mode, such as a loss;
-- otherwise top1 or else loss of val or else test. options: the options of a command line, for what is not given of
-- epochs, output, resume, resume_anyway, save_every and keep_epochs (--keep), and for the folder's options.lua, which
-- has those that were parsed last unless given; those that nothing has read behind the first epoch are told, since they
-- have no effect. loaders: those of the first loops of every epoch; where a run goes on, what differs is found before
-- anything of it is changed then. sinks: a list of things that are told what happens, see lua/icl/sinks; of several
-- processes, those of the main one. quiet = true: nothing is shown, as in a run without output and without a command
-- line.
--
-- Fields: epoch (from 1), last_epoch (it may be set, in all of several processes; a run that goes on knows it), step
-- (updates done so far; 0 in the first pass), last and average (of the values that were logged in this loop, by name;
-- averages weigh a pass that logged the value by its images), memory (a table of one's own that checkpoints hold:
-- numbers, texts, lists and tables of them), best ({ name =, value =, epoch = }), folder (nil where nothing is written,
-- and in all of several processes but the main one), entered_again (is the body of this epoch begun once more, after an
-- end in the middle of it? What it does before its loops to what is kept, or to memory, was done already).
local function new(given)
  if given ~= nil then arguments.typed("icl.run", given, "table", "a table of options") end
  return usage.during(given and given.options or usage.latest(), begin, given)
end

-- ---- epochs ----

-- Tells of options that have no effect, where they are known to be this run's.
local function tell_unread(run)
  local text = run.options and processes.is_main() and unread.typed(run.options)
  if text then run:warn(text) end
  run.options = nil
end

-- run.inside is the number of the epoch whose body has begun and not ended, or false.

-- The end of an epoch whose body came to its end.
local function end_epoch(run)
  agreement.check_parameters(run)
  run.inside = false
  tell_unread(run)
  run.saver:epoch_ended()
end

-- The end of the run: everything is in files.
local function finish(run)
  if run.ending then return end
  run.reports:finish(run)
  local saved, message = run.saver:finish()
  run:close(saved and { state = "finished" } or { state = "failed", message = message })
end

local function next_epoch(run)
  if run.inside and not run.goes_on then end_epoch(run) end  -- before a signal saves: its body has come to its end
  signals.attend()
  run.entered, run.entered_again = 0, run.goes_on or false
  if run.goes_on then
    run.goes_on = false
  else
    run.loops = {}
    if run.epoch >= arguments.integer("run.last_epoch", run.last_epoch, 0) then return finish(run) end
    run.inside = run.epoch + 1  -- the one step that begins it: Ctrl-C may come before it or behind it
  end
  run.epoch = run.inside
  run.epoch_began = core.clock()
  changes.repeat_for(run)
  run.place = ("%s.epoch%d"):format(run.name, run.epoch)
  places.move(run.inner_place, run.place)
  return run.epoch
end

-- How the loop over epochs ended that did not come to its end.
local function ending_of(failure)
  if failure == nil then return { state = "stopped", message = "the program ended in its loop" } end
  local message = tostring(failure)
  return { state = message:find "stopped by %u+$" and "stopped" or "failed", message = message }
end

-- The end of a loop over epochs that did not come to its end, or whose last epoch could not be ended.
local function interrupt(run, failure)
  run.goes_on = run.inside and true
  if run.ending then return end
  local ending = ending_of(failure)
  processes.abort(ending.message)
  run:close(ending)
end

local epochs_class = {
  __close = function(self, failure)
    local run = self.run
    local deferred <close> = self.deferred
    places.leave(run.inner_place)
    if not loop.was_left(failure) then
      interrupt(run, failure)
    elseif run.inside then
      local watch <close> = setmetatable({}, { __close = function(_, problem)
        if problem then interrupt(run, problem) end
      end })
      end_epoch(run)
      finish(run)
    end
  end,
}

-- for epoch in run:epochs() do ... end: 1, 2, ..., run.last_epoch, each ended by its body. Behind the last one, or
-- behind a `break`, the run is finished. An epoch that an error ended goes on when the loop is entered again, and what
-- was finished in it is not done again.
function Run:epochs()
  if self.inside and not self.goes_on then
    fail "run:epochs: a loop over the epochs of this run is being run; leave it first, with break"
  end
  self.output:begin()
  self.ending, self.inner_place = nil, places.enter(self.place, 0)
  return next_epoch, self, nil, setmetatable({ run = self, deferred = signals.defer(self) }, epochs_class)
end

-- ---- batches ----

-- An error at the prompt over the run, which has put run:continue() there: it waits in a loop, and is to go on in it.
local function refuse_waiting(run)
  if run.continue then
    fail("run:batches: the run waits in a loop of its own; loader:each() goes over batches here, and icl.evaluate "
      .. "evaluates")
  end
end

-- The record of the next loop over `loader`: one of an epoch, or of a loop, that is entered again, or a new one.
local function record_for(run, loader)
  local record = run.loops[run.entered + 1]
  if not record then
    for _, candidate in ipairs(run.loops) do
      if candidate.goes_on and candidate.loader == loader then return candidate end
    end
    record = loop.record(run.entered + 1)
    run.loops[record.of_epoch] = record
  end
  run.entered = record.of_epoch
  return record
end

-- for batch in run:batches(loader) do ... end: the batches of the current epoch; each pass is one step. Passes over a
-- training loader count in run.step.
function Run:batches(loader)
  if not is_loader(loader) then fail("run:batches: it takes a loader, not %s", arguments.described(loader)) end
  refuse_waiting(self)
  if self.folder and loader.training and not self.inside then
    fail "run:batches: a run that writes files trains in the loop over run:epochs(), with whose end it ends"
  end
  self.output:begin()
  local record = record_for(self, loader)
  if self.inside and (self.folder or self.before) then  -- of others nobody asks, and digests are made of all images
    self.loaders[record.of_epoch] = checkpoint.check_loader(self, record.of_epoch, loader)
  end
  record.loader, record.training, record.goes_on = loader, loader.training == true, true
  if record.training then
    self.train_set, self.steps_per_epoch = loader.set, loader.batches
  else
    self.evaluation_chain = loader.chain
  end
  self.last, self.average = record.last, record.average
  local advance, state, _, closing = loop.enter(self, loader, record)
  closing.deferred = signals.defer(self)
  return advance, state, nil, closing
end

-- Called by loops: after a pass, whose step has ended.
function Run:turned(at)
  self.output:turn(at)
  if self.save_wanted then
    self.save_wanted = nil
    self.saver:save_and_wait()
  elseif at.training then
    self.saver:turned()
  end
  signals.attend(at.training)
end

-- Called by loops that are left.
function Run:left(at)
  local deferred <close> = at.deferred
  local seconds, images = core.clock() - at.started, at.images - at.images_before
  if at.training and images > 0 then self.images_per_second = images / math.max(seconds, 1e-9) end
end

-- run:log { name = value, ... }: values of this pass, numbers or tensors of one element, which are kept. In training a
-- `loss` that is not finite stops the run; and where several processes train, a tensor is taken for a mean over the
-- images of this one, and what is logged is that over the whole batch.
function Run:log(values)
  if not self.pending then fail "run:log: it belongs into the body of a loop over run:batches()" end
  arguments.typed("run:log", values, "table", "a table { name = value }")
  for _, name in ipairs(arguments.names(values)) do
    local value = values[name]
    if type(value) == "userdata" and value:count() ~= 1 then
      fail("run:log: %s is a tensor (%s); it must have one element, such as its mean()", name,
        table.concat(value:shape(), ", "))
    elseif type(value) == "userdata" and value:dtype() ~= "bool" then
      if dtypes.floats[value:dtype()] then value = processes.mean(value) end
      value:keep()
    elseif type(value) == "userdata" then
      fail("run:log: %s is bool; %s:float() is a number", name, name)
    elseif type(value) ~= "number" then
      fail("run:log: %s is %s; it must be a number or a tensor of one element", name, arguments.described(value))
    end
    self.pending[name] = value
  end
end

-- ---- reports, lines, files ----

-- Tells a program that awaits this one how the run ends, if it ends with this record.
local function tell_outcome(record)
  for _, entry in ipairs { { "Test", record.test }, { "Validation", record.val } } do
    local name, values = table.unpack(entry)
    if type(values) == "table" and values.top1 then
      return outcome.tell(name .. " error", 100 * (1 - values.top1))
    end
  end
end

-- run:report { train = { loss =, ... }, val =, test =, ... }: the figures of an epoch, for the log and the files:
-- tables of numbers by name, and numbers (`lr`). Where the best figure improved, the state is saved as the best when
-- the epoch ends. final = true: figures of the end, which are none of an epoch.
function Run:report(figures)
  local record = self.reports:add(self, figures)
  self.best = self.reports.best
  tell_outcome(record)
  self.output:report(record)
  self:line(reports.line(record, self.epoch_began and core.clock() - self.epoch_began))
  if self.ending then self:close(self.ending) end
end

-- run:line(text): a line for the log.
function Run:line(text)
  arguments.typed("run:line", text, "string", "a text")
  self.output:line(text)
end

-- Lines for the log; nil is none.
function Run:tell(lines)
  for _, text in ipairs(lines or {}) do self:line(text) end
end

-- run:warn(text): a line for the log, which is shown as a warning.
function Run:warn(text)
  arguments.typed("run:warn", text, "string", "a text")
  self.output:warn(text)
end

-- run:save() -> true, or nil and why not: saves the state and waits until it is on the disk; in the body of a loop that
-- is done when the pass ends.
function Run:save()
  core.refuse_suspended "save"
  if not self.pending then return self.saver:save_and_wait(true) end
  self.save_wanted = true
  return true
end

-- Called where a run ends: record = { state = "finished", "stopped" or "failed", message = }. It is told whether
-- nothing could be saved: such a run begins anew where it is resumed.
function Run:close(record)
  self.ending = record
  self.saver:settle()
  record.unsaved = self.folder and not self.saver.has_saved or nil
  self.output:close(record)
end

-- run:elapsed() -> seconds that the run took so far, all sittings together.
function Run:elapsed()
  return self.seconds + core.clock() - self.began
end

return new
