-- sinks/tensorboard.lua: event files that TensorBoard shows: scalars of reports and of steps, histograms of weights,
-- the first batch of training as a picture, the options. The step of every event is that of the run: updates done so
-- far.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local events = require "icl.sinks.events"
local grid = require "icl.sinks.grid"
local hparams = require "icl.sinks.hparams"
local places = require "icl.internal.places"
local values = require "icl.sinks.values"

local TensorBoard = {}
TensorBoard.__index = TensorBoard

local OFTEN = 120  -- seconds after which events are in the file, at the latest

-- icl.sinks.tensorboard { log_period = 100, histograms = false, options = } -> a sink. It writes the running averages
-- every log_period steps, never for 0; with histograms those of the parameters of the run's model at each report;
-- options is a table of those that the run has.
local function new(given)
  local defaults = { log_period = 100, histograms = false }
  local self = arguments.options("icl.sinks.tensorboard", given, defaults, { "options" })
  self.elapsed, self.flushed = {}, core.clock()
  return setmetatable(self, TensorBoard)
end

-- Before the first event: where the run was resumed, what older files hold of this step and later ones goes.
local function begin(self, time, step)
  self.begun = true
  if self.resumed then self.writer:start(time, step) end
  if self.options and next(self.options) then self.writer:add(time, 0, hparams.started(self.options, time)) end
end

local function add(self, time, step, list)
  if #list == 0 then return end
  if not self.begun then begin(self, time, step) end
  self.writer:add(time, step, table.concat(list))
end

local function flush(self)
  self.flushed = core.clock()
  self.writer:flush()
end

-- sink:cut(step): on resume, before open.
function TensorBoard:cut()
  self.resumed = true
end

-- sink:open(run): once, before all others but cut.
function TensorBoard:open(run)
  if not run.folder then return end
  self.run, self.resumed = run, self.resumed or run.resumed_step ~= nil
  self.writer = events.writer(run, run.folder)
  if self.resumed then return end
  begin(self, os.time(), 0)
  flush(self)
end

-- ---- after each pass ----

-- The augmented images of the batch of a pass that has ended. What is drawn depends on the place, so that these are the
-- images of the pass, and the draws of others are not moved.
local function images_of(run, loop)
  places.enter(loop.place, loop.number)
  local outside <close> = places.leaving
  for index, number, decoded, fields in loop.loader:indices(run.epoch, loop.number - 1) do
    local image = loop.loader:batch(index, run.epoch, number, decoded, loop.place, fields).image
    return type(image) == "table" and image[1] or image
  end
end

-- A chain may hold functions of the user's that do not bear to be called once more; a picture is not worth a run.
local function add_picture(self, run, loop)
  local ok, image = pcall(images_of, run, loop)
  if not ok then
    run:warn(("there is no picture of the first batch: %s"):format(tostring(image)))
  elseif image:size(-1) == 1 or image:size(-1) == 3 then
    add(self, os.time(), run.step, { events.image("Train/Image", grid(image)) })
  end
end

local function add_running(self, run)
  local list = {}
  for i, name in ipairs(values.names(run.average)) do
    local x = name == "lr" and run.last.lr or run.average[name]
    list[i] = events.scalar("Train/Running" .. values.tag(name), x)
  end
  add(self, os.time(), run.step, list)
end

-- sink:turn(run, loop): after each pass of a loop.
function TensorBoard:turn(run, loop)
  if not self.writer then return end
  local now = core.clock()
  local set = loop.loader.training and "train" or (loop.loader.title or "evaluation"):lower()
  self.elapsed[set] = now - loop.started
  if loop.loader.training and not self.pictured then
    self.pictured = true
    if not self.resumed then add_picture(self, run, loop) end
  end
  if values.is_due(loop, self.log_period) then add_running(self, run) end
  if now - self.flushed > OFTEN then flush(self) end
end

-- ---- reports ----

local function add_histograms(self, run, time, step)
  local model = run.model or run.kept and run.kept.model
  if not model or not model.named_parameters then return end
  for _, entry in ipairs(model:named_parameters()) do
    local histogram = core.histogram(entry.state)
    if histogram then add(self, time, step, { events.histogram(entry.name, histogram) }) end
  end
end

-- sink:report(record): the figures of a report.
function TensorBoard:report(record)
  if not self.writer then return end
  local list = {}
  local function put(set, name, x) list[#list + 1] = events.scalar(("%s/%s"):format(set, values.tag(name)), x) end
  for _, key in ipairs(arguments.names(record)) do
    local figures = record[key]
    for _, name in ipairs(type(figures) == "table" and values.names(figures) or {}) do
      if name ~= "count" then put(values.tag(key), name, figures[name]) end  -- how many images, in each report the same
    end
  end
  for _, name in ipairs { "lr", "loss_scale", "images_per_second" } do
    if record[name] then put("Train", name, record[name]) end
  end
  for _, set in ipairs(arguments.names(self.elapsed)) do put(values.tag(set), "time", self.elapsed[set]) end
  self.elapsed = {}
  add(self, record.time, record.step, list)
  if self.histograms and not record.final then add_histograms(self, self.run, record.time, record.step) end
  flush(self)
end

-- sink:close(record): the end of the run.
function TensorBoard:close(record)
  if not self.writer then return end
  local ended = hparams.ended(record.state, record.time)
  -- Where it is the first event of a resumed run, the last report before it still counts.
  if ended then add(self, record.time, record.step + 1, { ended }) end
  self.writer:close()
end

return new
