-- fit: icl.fit, the training loop of the recipes; a loop of one's own is made of the same pieces.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local evaluate = require "icl.evaluate"
local header = require "icl.fit.header"
local metrics = require "icl.metrics"
local new_progress = require "icl.fit.progress"
local new_run = require "icl.run"
local numbers = require "icl.internal.numbers"
local prepare = require "icl.fit.prepare"

-- The logits of images; of a list of views a list, each view in a pass of its own.
local function predict(model, images)
  if type(images) ~= "table" then return model(images) end
  local views = {}
  for i, view in ipairs(images) do views[i] = model(view) end
  return views
end

-- Leaves the gradients of a batch for the optimizer; -> loss, accuracies and metrics as a table for run:log.
local function learn(self, batch)
  local o, sums = self.options, { loss = 0 }
  for _, chunk in ipairs(batch:chunks(o.subdivision)) do
    local share = chunk:size() / batch:size()
    local logits = predict(self.model, chunk.image)
    local part = self.criterion(logits, chunk.target)
    if share < 1 and not o.as_published then part = part * share end
    part:backward()
    sums.loss = sums.loss + part
    for name, value in pairs(metrics.figures(logits, chunk.target, self.metrics)) do
      sums[name] = (sums[name] or 0) + value * share
    end
  end
  return sums
end

local function train_epoch(self, run)
  self.model:train()
  for batch in run:batches(self.train_loader) do
    local values = learn(self, batch)
    values.lr = self.schedule(run.step)
    self.optimizer:step(values.lr)
    if self.ema then self.ema:update() end
    run:log(values)
  end
  return run.average, run.last.lr
end

-- Loss, accuracies and the metrics of one's own as text.
local function figures(self, values)
  local text = numbers.format("loss %.4f acc@1 %.4f acc@5 %.4f", values.loss, values.top1, values.top5)
  for _, name in ipairs(arguments.names(self.metrics or {})) do
    text = text .. numbers.format(" %s %.4f", name, values[name])
  end
  return text
end

-- Evaluates the model on a set, and its averages if there are any; what it found goes into `result`. -> it as text
local function evaluate_on(self, run, result, part, progress)
  local how = { run = run, metrics = self.metrics, views = self.views }
  progress.title = part.title
  result[part.key] = evaluate(self.model, part.loader, how)
  local text = ("%s %s"):format(part.title, figures(self, result[part.key]))
  if not self.ema then return text end
  local key = part.key .. "_ema"
  result[key] = self.ema:apply(evaluate, self.model, part.ema_loader, how)
  return ("%s %s EMA %s"):format(text, part.title, figures(self, result[key]))
end

-- Trains for one epoch and evaluates; what it found goes into `result`.
local function one_epoch(self, run, result, progress)
  local started, rate = core.clock(), nil
  for key in pairs(result) do result[key] = nil end
  progress.title = "Epoch"
  result.train, rate = train_epoch(self, run)
  local text = numbers.format("Epoch %d lr %.6g %s", run.epoch, rate, figures(self, result.train))
  local due = run.epoch % self.options.val_period == 0 or run.epoch == run.last_epoch
  if self.each and due then text = text .. " " .. evaluate_on(self, run, result, self.each, progress) end
  progress:line(text .. numbers.format(" Elapsed %.2f", core.clock() - started))
  if self.on_epoch then self.on_epoch(run, result) end
  local white = core.images_clipped()
  if white > 0 and not self.told_white then
    self.told_white = true
    progress:line(("Note: %d pictures became nearly white, as Pillow reads grey PNG files of 16 bits; save them with 8")
      :format(white))
  end
end

local function finish(self, run, result, progress)
  if self.last then progress:line(evaluate_on(self, run, result, self.last, progress)) end
  for _, entry in ipairs { { "Validation", "val" }, { "Test", "test" } } do
    local name, key = table.unpack(entry)
    local values, of_ema = result[key], result[key .. "_ema"]
    local text = values and numbers.format("%s error %.2f %%", name, 100 * (1 - values.top1))
    if of_ema then text = text .. numbers.format(", of the average (EMA) %.2f %%", 100 * (1 - of_ema.top1)) end
    if text then progress:line(text) end
  end
end

-- Calls what was given for each step, and the display, after each pass.
local function watch_of(self, progress)
  return function(run, loop)
    progress.watch(run, loop)
    if self.on_step and loop.loader.training then self.on_step(run, run.last) end
  end
end

local names = { "model", "train", "val", "test", "options", "loader", "chain", "loss", "optimizer", "schedule",
                "metrics", "on_step", "on_epoch", "hint", "quiet" }

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
--   optimizer               one of icl.optim, or a table with step(self, rate) (icl.optim.from_options)
--   schedule                a function of the updates so far that gives the rate (icl.schedule.from_options)
--   loss(logits, target)    one number, in place of cross-entropy in training; dual_cutout has a list of two logits
--   metrics                 { name = function(logits, target) }: one number for a batch, beside loss and accuracies
--   on_step(run, values)    called after each update, outside of the step; values: loss, top1, top5, lr and metrics
--   on_epoch(run, result)   called after each epoch and its evaluation; result: what icl.fit returns, so far
local function fit(given, ...)
  arguments.no_more("icl.fit", "one table", ...)
  given = arguments.options("icl.fit", given, {}, names)
  local self, progress = prepare(given), new_progress(given.quiet)
  for _, line in ipairs(given.quiet and {} or header.lines(self, self.layers)) do progress:line(line) end
  local run, result = new_run { epochs = self.options.epochs, watch = watch_of(self, progress) }, {}
  if self.options.val_first then progress:line("Before " .. evaluate_on(self, run, {}, self.each, progress)) end
  for _ in run:epochs() do one_epoch(self, run, result, progress) end
  finish(self, run, result, progress)
  if given.hint then progress:line(given.hint) end
  return result
end

return fit
