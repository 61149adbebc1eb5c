-- fit: icl.fit, the training loop of the recipes; a loop of one's own is made of the same pieces.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local augment = require "icl.augment"
local data = require "icl.data"
local header = require "icl.fit.header"
local loss = require "icl.loss"
local metrics = require "icl.metrics"
local new_progress = require "icl.fit.progress"
local new_run = require "icl.run"
local numbers = require "icl.internal.numbers"
local optim = require "icl.optim"
local parts = require "icl.fit.parts"
local schedule = require "icl.schedule"
local settings = require "icl.fit.settings"
local summary = require "icl.nn.summary"
local usage = require "icl.internal.usage"

-- The logits of images; of a list of views a list, each view in a pass of its own.
local function predict(model, images)
  if type(images) ~= "table" then return model(images) end
  local views = {}
  for i, view in ipairs(images) do views[i] = model(view) end
  return views
end

-- Loss and accuracies of a batch as a table for run:log. With `backward`, gradients are left for the optimizer.
local function loss_and_accuracies(model, criterion, batch, o, backward)
  local sums = { loss = 0, top1 = 0, top5 = 0 }
  for _, chunk in ipairs(batch:chunks(backward and o.subdivision or 1)) do
    local share = chunk:size() / batch:size()
    local logits = predict(model, chunk.image)
    local part = criterion(logits, chunk.target)
    if share < 1 and not o.as_published then part = part * share end
    if backward then part:backward() end
    sums.loss = sums.loss + part
    sums.top1 = sums.top1 + metrics.accuracy(logits, chunk.target) * share
    sums.top5 = sums.top5 + metrics.accuracy(logits, chunk.target, 5) * share
  end
  return sums
end

local function train_epoch(self, run)
  self.model:train()
  for batch in run:batches(self.train_loader) do
    local values = loss_and_accuracies(self.model, self.criterion, batch, self.options, true)
    values.lr = self.schedule(run.step)
    self.optimizer:step(values.lr)
    run:log(values)
  end
  return run.average, run.last.lr
end

-- Plain cross-entropy and accuracies over a loader, in evaluation mode.
local function evaluate(self, run, loader)
  self.model:eval()
  for batch in run:batches(loader) do
    run:log(loss_and_accuracies(self.model, loss.cross_entropy, batch, self.options, false))
  end
  return run.average
end

local function figures(values)
  return numbers.format("loss %.4f acc@1 %.4f acc@5 %.4f", values.loss, values.top1, values.top5)
end

-- The sets that are evaluated: after each epoch, and once at the end.
local function choose_sets(self, given)
  local val, test = given.val or nil, given.test or nil
  if not val and test and test.is_validation then val, test = test, nil end
  if val == test then val = nil end
  self.train, self.val, self.test = given.train, val, test
  if val then
    self.each, self.last = { key = "val", title = "Val", set = val }, test
  elseif test and self.options.use_test_as_val then
    self.each = { key = "test", title = "Test", set = test }
  else
    self.last = test
  end
end

-- The layers of the model with their shapes; nil for what is no module, or takes no batch of one image.
local function layers_of(model, shape)
  if type(model) ~= "table" or not model.named_modules then return nil end
  local ok, layers = pcall(summary.list, model, shape)
  return ok and layers or nil
end

local function prepare(given)
  local o, notes = settings.complete(given.options)
  local self = { model = given.model, options = o, notes = notes, given = given.options or {} }
  choose_sets(self, given)
  self.train_loader = data.loader(self.train, { batch_size = o.batch_size, training = true, drop_last = o.drop_last,
                                                chain = augment.from_options(o, self.train, { training = true }) })
  local function loader(set)
    return data.loader(set, { batch_size = o.eval_batch_size, chain = augment.from_options(o, set) })
  end
  if self.each then self.each_loader = loader(self.each.set) end
  if self.last then self.last_loader = loader(self.last) end
  self.schedule = given.schedule or schedule.from_options(o, self.train_loader.batches)
  self.optimizer = given.optimizer or optim.from_options(o, given.model)
  self.criterion = given.loss or function(logits, target)
    if o.dual_cutout then return loss.dual_cutout(logits, target, o.dual_cutout_alpha, o.label_smoothing) end
    return loss.cross_entropy(logits, target, o.label_smoothing)
  end
  self.layers = layers_of(given.model, self.train.shape)
  parts.check(self.layers, self.train.count, o)
  return self
end

-- Trains for one epoch and evaluates; what it found goes into `result`.
local function one_epoch(self, run, result, progress)
  local started, rate = core.clock(), nil
  progress.title = "Epoch"
  result.train, rate = train_epoch(self, run)
  local text = numbers.format("Epoch %d lr %.6g %s", run.epoch, rate, figures(result.train))
  if self.each then
    progress.title = self.each.title
    result[self.each.key] = evaluate(self, run, self.each_loader)
    text = ("%s %s %s"):format(text, self.each.title, figures(result[self.each.key]))
  end
  progress:line(text .. numbers.format(" Elapsed %.2f", core.clock() - started))
  local white = core.images_clipped()
  if white > 0 and not self.told_white then
    self.told_white = true
    progress:line(("Note: %d pictures became nearly white, as Pillow reads grey of 16 bits; save them with 8")
      :format(white))
  end
end

local function finish(self, run, result, progress)
  progress.title = "Test"
  if self.last then
    result.test = evaluate(self, run, self.last_loader)
    progress:line("Test " .. figures(result.test))
  end
  for _, entry in ipairs { { "Validation", result.val }, { "Test", result.test } } do
    local name, values = table.unpack(entry, 1, 2)
    if values then progress:line(numbers.format("%s error %.2f %%", name, 100 * (1 - values.top1))) end
  end
end

local names = { "model", "train", "val", "test", "options", "loss", "optimizer", "schedule", "hint", "quiet" }

-- icl.fit { model =, train =, val =, test =, options = [, loss =, optimizer =, schedule =, hint =] } -> the figures of
-- the last epoch: { train = { loss =, top1 =, top5 = }, val =, test = the same or nil }.
--
-- Trains for options.epochs. After each epoch it evaluates on `val`, and on `test` once at the end; where these are one
-- set, or there is no `val`, on `test` after each epoch. Options are those of the four groups of icl.options; what is
-- missing has their defaults, and in a table written by hand seed, threads and device take effect too. loss(logits,
-- target) -> one number replaces cross-entropy in training; with dual_cutout logits are a list of two. hint is the last
-- line printed; with quiet = true nothing is printed.
local function fit(given)
  given = arguments.options("icl.fit", given, {}, names)
  for _, name in ipairs { "model", "train" } do
    if not given[name] then fail("icl.fit: it needs a %s", name) end
  end
  local self, progress = usage.during(given.options, prepare, given), new_progress(given.quiet)
  for _, line in ipairs(given.quiet and {} or header.lines(self, self.layers)) do progress:line(line) end
  local run, result = new_run { epochs = self.options.epochs, watch = progress.watch }, {}
  for _ in run:epochs() do one_epoch(self, run, result, progress) end
  finish(self, run, result, progress)
  if given.hint then progress:line(given.hint) end
  return result
end

return fit
