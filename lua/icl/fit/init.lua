-- fit: icl.fit, the training loop of the recipes; a loop of one's own is made of the same pieces.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local check_logits = require "icl.internal.check_logits"
local checkpoint = require "icl.run.checkpoint"
local evaluate = require "icl.evaluate"
local fail = require "icl.internal.fail"
local header = require "icl.fit.header"
local metrics = require "icl.metrics"
local new_run = require "icl.run"
local numbers = require "icl.internal.numbers"
local part = require "icl.internal.part"
local places = require "icl.internal.places"
local prepare = require "icl.fit.prepare"
local settings = require "icl.fit.settings"
local stored_as = require "icl.internal.stored_as"
local usage = require "icl.internal.usage"

-- An error where images are not stored as the options say, since the chain that was given does otherwise.
local function check_stored(image, precision)
  local wanted = stored_as[precision]
  if wanted == "f32" or image:dtype() == wanted then return end
  fail("icl.fit: {precision} %s: the chain that was given makes images %s; icl.augment.normalize { dtype = '%s' } "
    .. "makes them %s", precision, image:dtype(), wanted, wanted)
end

-- The logits of images; of a list of views a list, each view in a pass of its own. A model may return a list in
-- training, too, of several heads for instance.
local function predict(model, images)
  if type(images) ~= "table" then
    local logits = model(images)
    local is_list = type(logits) == "table" and type(logits[1]) == "userdata"
    return is_list and logits or check_logits("icl.fit", logits)
  end
  local views = {}
  for i, view in ipairs(images) do views[i] = model(view) end
  return views
end

-- Leaves the gradients of a batch for the optimizer; -> loss, accuracies and metrics as a table for run:log. Each part
-- draws what the whole batch would, but as published draws of its own.
local function learn(self, batch, is_first)
  local o, sums, drawn = self.options, {}, places.counted()
  for _, chunk in ipairs(batch:chunks(o.subdivision, o.as_published)) do
    local share = chunk:size() / batch:size()
    local computed <close> = o.subdivision > 1 and part.enter(chunk:part()) or nil
    if not o.as_published then places.recount(drawn) end  -- where it was published, each part draws anew
    check_stored(type(chunk.image) == "table" and chunk.image[1] or chunk.image, o.precision)
    local logits = predict(self.model, chunk.image)
    local loss = arguments.tensor("icl.fit: what loss gives", self.criterion(logits, chunk.target, chunk))
    if share < 1 and not o.as_published then loss = part.weighed(loss, chunk:size(), batch:size()) end
    self.scaler:backward(loss)
    sums.loss = sums.loss and sums.loss + loss or loss
    for name, value in pairs(is_first and metrics.figures(logits, chunk.target, self.train_metrics) or {}) do
      sums[name] = (sums[name] or 0) + value * share
    end
  end
  return sums
end

-- One update; -> what learn() gives, of the first pass where an optimizer takes several, and the rate.
local function update(self, run, batch)
  local rate, passes = self.schedule(run.step), 0
  local function pass()
    passes = passes + 1
    return learn(self, batch, passes == 1)
  end
  local values = self.scaler:step(self.optimizer, rate, pass, self.on_gradients and function()
    self.on_gradients(run)
  end)
  if type(values) ~= "table" then
    fail("icl.fit: the optimizer's step(rate, f) gave %s; with takes_function it must return what f() gives",
      arguments.described(values))
  end
  values.lr = rate
  return values
end

local function train_epoch(self, run)
  self.model:train()
  if not run.entered_again then
    for _, entry in ipairs(self.of_epoch) do entry.metric:reset() end
  end
  for batch in run:batches(self.train_loader) do
    local values = update(self, run, batch)
    if self.ema then self.ema:update() end
    run:log(values)
  end
  local result = metrics.values(self.train_metrics)
  for name, value in pairs(run.average) do result[name] = value end
  return result, run.last.lr
end

-- Figures for a report: numbers. Of those of a whole set some are lists and matrices.
local function report_of(result)
  local report = {}
  for key, values in pairs(result) do
    report[key] = {}
    for name, value in pairs(values) do
      if type(value) == "number" then report[key][name] = value end
    end
  end
  return report
end

-- Evaluates the model on a set, and its averages if there are any; what it found goes into `result`.
local function evaluate_on(self, run, result, part)
  local how = { run = run, metrics = self.metrics, views = self.views }
  result[part.key] = evaluate(self.model, part.loader, how)
  if self.ema then result[part.key .. "_ema"] = self.ema:apply(evaluate, self.model, part.ema_loader, how) end
  return result
end

-- Gives a schedule that waits for figures that of the epoch.
local function tell_schedule(self, result)
  local schedule = self.schedule
  if type(schedule) ~= "table" or schedule.type ~= "plateau" then return end
  local figures = self.each and result[self.each.key] or result.train
  schedule:report(schedule.mode == "max" and figures.top1 or figures.loss)
end

-- The scale of the loss behind an epoch, nil without one; a warning, once, where it is one that nothing can be learned
-- with.
local function loss_scale_of(self, run)
  local scale = self.scaler.loss_scale and self.scaler.loss_scale:item()
  if scale and scale < 1 and not self.told_scale then
    self.told_scale = true
    run:warn(("The scale of the loss has fallen to %.2g, since the gradients of too many steps were not finite; such "
      .. "steps change nothing. check_nan names the op that makes the first NaN"):format(scale))
  end
  return scale
end

-- Trains for one epoch and evaluates; what it found goes into `result`.
local function one_epoch(self, run, result)
  for key in pairs(result) do result[key] = nil end
  local rate
  result.train, rate = train_epoch(self, run)
  local due = run.epoch % self.options.val_period == 0 or run.epoch == run.last_epoch
  if self.each and due then evaluate_on(self, run, result, self.each) end
  local report = report_of(result)
  report.lr, report.loss_scale = rate, loss_scale_of(self, run)
  run:report(report)
  if self.on_epoch then self.on_epoch(run, result) end
  if due or not self.each then tell_schedule(self, result) end
  local white = core.images_clipped()
  if white > 0 and not self.told_white then
    self.told_white = true
    run:line(("Note: %d pictures became nearly white, as Pillow reads grey of 16 bits; save them with 8")
      :format(white))
  end
end

local function finish(self, run, result)
  if self.last then
    local last = evaluate_on(self, run, {}, self.last)
    local report = report_of(last)
    report.final = true
    run:report(report)
    for _, key in ipairs { "test", "test_ema" } do result[key] = last[key] end
  end
  for _, entry in ipairs { { "Validation", "val" }, { "Test", "test" } } do
    local name, key = table.unpack(entry)
    local values, of_ema = result[key], result[key .. "_ema"]
    local text = values and numbers.format("%s error %.2f %%", name, 100 * (1 - values.top1))
    if of_ema then text = text .. numbers.format(", of the average (EMA) %.2f %%", 100 * (1 - of_ema.top1)) end
    if text then run:line(text) end
  end
  local published = settings.published(self.given)
  if published then run:line("Published with these settings: " .. published) end
end

-- The figures of the epoch that a run goes on behind.
local function result_of(run)
  local result, latest = {}, run.reports.latest or {}
  for name, values in pairs(latest) do
    if type(values) == "table" and latest.epoch == run.epoch then result[name] = values end
  end
  return result
end

-- The folder of the run: on a command line there is one unless it says none.
local function wanted_output(self)
  local output = self.options.output
  return output == "" and not usage.origin(self.given) and "none" or output
end

-- Calls what was given for each step.
local function step_sink(self)
  return { everywhere = true, turn = function(_, run, loop)
    if loop.training then self.on_step(run, run.last) end
  end }
end

-- The states of metrics of a whole epoch, as a thing that is kept.
local function sums_of(self)
  return { named_states = function()
    local list = {}
    for _, entry in ipairs(self.of_epoch) do
      local metric = entry.metric
      for _, item in ipairs(metric.named_states and metric:named_states() or {}) do
        item.name = ("%s.%s"):format(entry.name, item.name)
        list[#list + 1] = item
      end
    end
    return list
  end }
end

local function can_be_kept(thing)
  return type(thing) == "table" and (thing.named_states or checkpoint.has_settings(thing))
end

-- What a checkpoint holds. An optimizer, schedule or loss of one's own may be one of which nothing can be kept.
local function kept_of(self)
  local kept = { model = self.model, ema = self.ema, metrics = #self.of_epoch > 0 and sums_of(self) or nil,
                 scaler = self.scaler.options.enabled and self.scaler or nil }
  for name, thing in pairs { optimizer = self.optimizer, schedule = self.schedule, loss = self.criterion } do
    if can_be_kept(thing) then kept[name] = thing end
  end
  return kept
end

-- Warnings of what begins anew where a run goes on, since it cannot be kept.
local function tell_unkept(self, run)
  if not run.folder then return end
  local things = {}
  if not can_be_kept(self.optimizer) then things[1] = "the optimizer" end
  for _, entry in ipairs(self.of_epoch) do
    if not entry.metric.named_states then things[#things + 1] = "the metric " .. entry.name end
  end
  for _, thing in ipairs(things) do
    run:warn(("%s has no named_states(), so that checkpoints lack what it remembers: a run that goes on begins it anew")
      :format(thing))
  end
end

local function run_of(self, given)
  local o = self.options
  return new_run {
    epochs = self.epochs, model = self.model, output = wanted_output(self), resume = o.resume,
    resume_anyway = o.resume_anyway, save_every = o.save_every, keep_epochs = o.keep, options = self.given,
    keep = kept_of(self), quiet = given.quiet or false, best = given.best, loaders = { self.train_loader },
    sinks = { self.on_step and step_sink(self) },
  }
end

local names = { "model", "train", "val", "test", "options", "loader", "chain", "loss", "optimizer", "schedule",
                "metrics", "on_gradients", "on_step", "on_epoch", "best", "hint", "quiet" }

-- icl.fit { model =, train =, val =, test =, options =, ... } -> the figures of the last epoch: { train = { loss =,
-- top1 =, top5 = }, val =, test = the same or nil }; with options.ema also val_ema and test_ema, those of the averages.
--
-- Trains for options.epochs. After each epoch it evaluates on `val`, and on `test` once at the end; where these are one
-- set, or there is no `val`, on `test` after each epoch. Options are those of the four groups of icl.options; what is
-- missing has their defaults, and in a table written by hand seed, threads and device take effect too. hint is the last
-- line printed; with quiet = true nothing is printed. What the options would choose may be given:
--
--   loader                  icl.data.loader(set, { training = true, ... }), in place of train
--   chain                   of the training images (icl.augment.from_options)
--   optimizer               one of icl.optim, or a table with step(self, rate) (icl.optim.from_options); with
--                           takes_function = true it is given a function that leaves the gradients, too, and
--                           returns what that gives; with the precision f16 one of icl.optim
--   schedule                a function of the updates so far that gives the rate (icl.schedule.from_options)
--   loss(logits, target, batch)
--                           one number, in place of cross-entropy in training; dual_cutout has a list of two logits.
--                           batch has what the chain put there, and index, the numbers of the images; with
--                           options.subdivision it is a part of the batch
--   metrics                 { name = function(logits, target) }: one number for a batch, beside loss and accuracies;
--                           or of whole epochs and sets: { f1 = icl.metrics.f1 { classes = 10 } }
--   on_gradients(run)       called in each step when the gradients are there, before the update; may put others in
--                           their place: w.grad = w.grad:clamp(-1, 1)
--   on_step(run, values)    called after each update, outside of the step; values: loss, top1, top5, lr and metrics
--   on_epoch(run, result)   called after each epoch and its evaluation; result: what icl.fit returns, so far; ends the
--                           training where it sets run.last_epoch = run.epoch
--   best                    the figure that decides which weights are the best, such as "val.f1", as icl.run has it
local function fit(given, ...)
  arguments.no_more("icl.fit", "one table", ...)
  given = arguments.options("icl.fit", given, {}, names)
  local self = prepare(given)
  local run = run_of(self, given)
  if self.unread then run:warn(self.unread) end
  tell_unkept(self, run)
  local result = result_of(run)
  if not run.resumed_step then run:tell(header.lines(self, self.layers, run.folder)) end
  if self.options.val_first and run.step == 0 and not run.reports.latest then
    run:report(report_of(evaluate_on(self, run, {}, self.each)))
  end
  for _ in run:epochs() do one_epoch(self, run, result) end
  finish(self, run, result)
  if given.hint then run:line(given.hint) end
  return result
end

return fit
