-- fit: icl.fit, the training loop of the recipes; a loop of one's own is made of the same pieces.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local augment = require "icl.augment"
local data = require "icl.data"
local loss = require "icl.loss"
local metrics = require "icl.metrics"
local new_progress = require "icl.fit.progress"
local new_run = require "icl.run"
local optimizer_from = require "icl.optim.from_options"
local option_groups = require "icl.options"
local schedule = require "icl.schedule"

-- The options with the defaults of all groups where something is not given.
local function complete(options)
  local result = {}
  for _, name in ipairs(option_groups.names) do
    for key, value in pairs(option_groups[name]:defaults()) do result[key] = value end
  end
  for key, value in pairs(options or {}) do result[key] = value end
  return result
end

local function schedule_of(o, steps_per_epoch)
  return schedule {
    type = o.schedule, base_lr = o.base_lr, epochs = o.epochs, steps_per_epoch = steps_per_epoch,
    milestones = o.milestones, lr_decay = o.lr_decay, lr_min_factor = o.lr_min_factor, T0 = o.T0, T_mul = o.T_mul,
    as_published = o.as_published,
    warmup = { type = o.warmup, epochs = o.warmup_epochs, start_factor = o.warmup_start_factor,
               exponent = o.warmup_exponent },
  }
end

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
  return ("loss %.4f acc@1 %.4f acc@5 %.4f"):format(values.loss, values.top1, values.top5)
end

local function prepare(given)
  local o = complete(given.options)
  local self = { model = given.model, options = o }
  self.train_loader = data.loader(given.train, { batch_size = o.batch_size, training = true, drop_last = o.drop_last,
                                                 chain = augment.training(o, given.train) })
  if given.test then
    self.test_loader = data.loader(given.test, { batch_size = o.eval_batch_size,
                                                 chain = augment.evaluation(o, given.test) })
  end
  self.schedule = given.schedule or schedule_of(o, self.train_loader.batches)
  self.optimizer = given.optimizer or optimizer_from(given.model, o)
  self.criterion = given.loss or function(logits, target)
    if o.dual_cutout then return loss.dual_cutout(logits, target, o.dual_cutout_alpha, o.label_smoothing) end
    return loss.cross_entropy(logits, target, o.label_smoothing)
  end
  return self
end

local names = { "model", "train", "test", "options", "loss", "optimizer", "schedule", "hint", "quiet" }

-- icl.fit { model =, train =, test =, options = [, loss =, optimizer =, schedule =, hint =] } -> the figures of the
-- last epoch: { train = { loss =, top1 =, top5 = }, test = the same or nil }.
--
-- Trains for options.epochs and evaluates on `test` (a set, or nil) after each. Options are those of the four groups of
-- icl.options; what is missing has their defaults. loss(logits, target) -> one number replaces cross-entropy in
-- training; with dual_cutout logits are a list of two. hint is the last line printed; with quiet = true nothing is
-- printed.
local function fit(given)
  given = arguments.options("icl.fit", given, {}, names)
  for _, name in ipairs { "model", "train" } do
    if not given[name] then fail("icl.fit: it needs a %s", name) end
  end
  local self, progress = prepare(given), new_progress(given.quiet)
  local run = new_run { epochs = self.options.epochs, watch = progress.watch }
  local result = {}
  for epoch in run:epochs() do
    local started, rate = core.clock(), nil
    result.train, rate = train_epoch(self, run)
    result.test = self.test_loader and evaluate(self, run, self.test_loader)
    progress:line(("Epoch %d lr %.6f %s%s Elapsed %.2f"):format(epoch, rate, figures(result.train),
      result.test and " Val " .. figures(result.test) or "", core.clock() - started))
  end
  if result.test then progress:line(("Test error %.2f %%"):format(100 * (1 - result.test.top1))) end
  if given.hint then progress:line(given.hint) end
  return result
end

return fit
