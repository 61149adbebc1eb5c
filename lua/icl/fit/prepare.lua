-- fit/prepare.lua: what a training is made of: what was given to icl.fit, and what the options say about the rest.
local arguments = require "icl.internal.arguments"
local check_metrics = require "icl.internal.check_metrics"
local core = require "icl.core"
local data = require "icl.data"
local distributed = require "icl.distributed"
local fail = require "icl.internal.fail"
local is_loader = require "icl.internal.is_loader"
local loss = require "icl.loss"
local find_run = require "icl.runs.find"
local find_weights = require "icl.network.find"
local metrics = require "icl.metrics"
local numbers = require "icl.internal.numbers"
local new_ema = require "icl.ema"
local new_scaler = require "icl.grad_scaler"
local optim = require "icl.optim"
local parts = require "icl.fit.parts"
local schedule = require "icl.schedule"
local settings = require "icl.fit.settings"
local summary = require "icl.nn.summary"
local usage = require "icl.internal.usage"
local weights = require "icl.weights"

local function can_be_called(value)
  return type(value) == "function" or (getmetatable(value) or {}).__call ~= nil
end

local function check(given)
  if not given.model then fail "icl.fit: it needs a model" end
  if not (given.train or given.loader) then fail "icl.fit: it needs a set, train, or a loader" end
  for _, name in ipairs { "train", "val", "test" } do
    arguments.typed("icl.fit: " .. name, given[name] or {}, "table", "a set of images")
  end
  for _, name in ipairs { "loss", "schedule", "on_gradients", "on_step", "on_epoch" } do
    local value = given[name]
    if value ~= nil and not can_be_called(value) then
      fail("icl.fit: %s is %s; it must be a function", name, arguments.described(value))
    end
  end
  local optimizer = given.optimizer
  if optimizer ~= nil and not (type(optimizer) == "table" and optimizer.step) then
    fail("icl.fit: optimizer is %s; it must be one of icl.optim", arguments.described(optimizer))
  end
  check_metrics("icl.fit", given.metrics)
end

local val_part, test_part = { key = "val", title = "Val" }, { key = "test", title = "Test" }

-- A set to evaluate with its loaders; loops over one loader are one loop to a run that was interrupted.
local function part_of(self, part, set)
  local function loader(title) return data.loader(set, { options = self.options, title = title }) end
  local title = part.title
  return { key = part.key, title = title, loader = loader(title), ema_loader = self.ema and loader(title .. " EMA") }
end

-- The sets that are evaluated: after each epoch, and once at the end.
local function choose_sets(self, given)
  local val, test = given.val or nil, given.test or nil
  if not val and test and test.is_validation then val, test = test, nil end
  if val == test then val = nil end
  self.val, self.test = val, test
  if val then
    self.each, self.last = part_of(self, val_part, val), test and part_of(self, test_part, test)
  elseif test and self.options.use_test_as_val then
    self.each = part_of(self, test_part, test)
  elseif test then
    self.last = part_of(self, test_part, test)
  end
end

-- The layers of the model with their shapes; nil for what is no module, or takes no batch of one image.
local function layers_of(model, shape)
  if type(model) ~= "table" or not model.named_modules then return nil end
  local ok, layers = pcall(summary.list, model, shape)
  return ok and layers or nil
end

-- The loader to train with: the one that was given, or one of the training set.
local function training_loader(given, o)
  local loader, set = given.loader, given.train
  if not loader then return data.loader(set, { options = o, training = true, chain = given.chain }) end
  if not is_loader(loader) then
    fail("icl.fit: loader is %s; it must be icl.data.loader(set, { training = true })", arguments.described(loader))
  elseif not loader.training then
    fail "icl.fit: the loader is one for evaluation; make it with training = true"
  elseif given.chain then
    fail "icl.fit: the loader has a chain already; give one of them"
  elseif set and set ~= loader.set then
    fail "icl.fit: the loader is one of another set than train; give one of them"
  end
  return loader
end

-- The rate is meant for another batch than the loader's.
local function scale_rate(o, loader, notes)
  if not o.scale_lr then return end
  local images, base = loader.global_batch_size or loader.batch_size, o.base_lr
  o.base_lr = base * images / o.scale_lr
  notes[#notes + 1] = numbers.format("base_lr %.6g, which is %g for %d images, for %d", o.base_lr, base, o.scale_lr,
    images)
end

-- Puts the weights of options.weights, a file or a run, into the model, but for the layers of options.weights_except.
-- -> a note about what was left as it is, or nil. A run that goes on has all weights.
local function start_from_weights(model, o)
  local path, where, except = o.weights, core.where(), {}
  for name in o.weights_except:gmatch "[^,%s]+" do except[#except + 1] = name end
  if not path or (o.resume and find_run.has_checkpoint(o.resume)) then return nil end
  local options = #except > 0 and { except = except } or nil
  local ok, message = pcall(function() return weights.load(model, find_weights(path).path, options) end)
  if ok then
    return options and ("Weights of %s but for %s"):format(core.printable(path), table.concat(message.left, ", "))
  end
  if type(message) ~= "string" then error(message, 0) end
  if message:sub(1, #where) == where then message = message:sub(#where + 1) end
  fail("icl.fit: {weights}: %s", message)
end

-- Makes all of the model f16; the states of an optimizer that was made before would be f32.
local function make_pure(given)
  local model = given.model
  if type(model) ~= "table" or not model.named_parameters then
    fail("icl.fit: {precision} f16-pure makes the parameters of a module f16; the model is %s",
      arguments.described(model))
  end
  for _, entry in ipairs(given.optimizer and model:named_parameters() or {}) do
    if entry.state:dtype() ~= "f16" then
      fail("icl.fit: {precision} f16-pure: the optimizer was made for parameters that are %s; call model:to 'f16' "
        .. "before it is made", entry.state:dtype())
    end
  end
  model:to "f16"
end

-- An error where options that were given are about an evaluation that there is not.
local function check_evaluated(self)
  for _, name in ipairs { "val_first", "val_period", "tta" } do
    local alone, value = self.each == nil and (name ~= "tta" or self.last == nil), self.options[name]
    if alone and value ~= settings.default(name) then
      fail("icl.fit: {" .. name .. "} means nothing without a set to evaluate on%s",
        name == "tta" and "" or " behind each epoch")
    end
  end
end

-- The loss that the options ask for.
local function criterion(o)
  local smoothing = o.label_smoothing
  if not o.dual_cutout then return function(logits, target) return loss.cross_entropy(logits, target, smoothing) end end
  local alpha = o.dual_cutout_alpha
  return function(logits, target) return loss.dual_cutout(logits, target, alpha, smoothing) end
end

-- A loss that was given, as it is called: with logits, target and batch. What those of icl.loss take behind the target
-- are options.
local function given_criterion(given)
  for _, own in pairs(loss) do
    if given == own then return function(logits, target) return own(logits, target) end end
  end
  return given
end

-- What was given in place of what the options say, as a list: "an optimizer".
local function replaced(given)
  local list = {}
  for _, name in ipairs { "loader", "chain", "optimizer", "schedule", "loss" } do
    if given[name] then list[#list + 1] = (name:find "^[aeiou]" and "an " or "a ") .. name end
  end
  return list
end

-- Metrics of a whole epoch, as a list of { name =, metric = }.
local function of_epoch(given)
  local list = {}
  for _, name in ipairs(arguments.names(given)) do
    if type(given[name]) == "table" then list[#list + 1] = { name = name, metric = given[name] } end
  end
  return list
end

local function training(given)
  local o, notes = settings.complete(given.options)
  notes = table.move(notes, 1, #notes, 1, {})
  local self = { model = given.model, options = o, notes = notes, given = given.options or {}, metrics = given.metrics,
                 on_gradients = given.on_gradients, on_step = given.on_step, on_epoch = given.on_epoch }
  self.train_metrics = metrics.clones(given.metrics)
  self.of_epoch = of_epoch(self.train_metrics)
  self.train_loader = training_loader(given, o)
  self.train = self.train_loader.set
  o.batch_size = self.train_loader.batch_size
  if not given.schedule then scale_rate(o, self.train_loader, notes) end
  notes[#notes + 1] = start_from_weights(self.model, o)
  if o.precision == "f16-pure" then make_pure(given) end
  if o.ema > 0 then self.ema = new_ema(self.model, { decay = o.ema, warmup = o.ema_warmup }) end
  if o.tta ~= "none" then self.views = o.tta end
  if o.sync_bn then distributed.sync_batch_norm(self.model) end
  if o.average_bn then distributed.average_batch_norm(self.model) end
  choose_sets(self, given)
  check_evaluated(self)
  self.schedule = given.schedule or schedule.from_options(o, self.train_loader.batches)
  self.optimizer = given.optimizer or optim.from_options(o, given.model)
  self.scaler = new_scaler { enabled = o.precision == "f16" }
  self.criterion = given.loss and given_criterion(given.loss) or criterion(o)
  self.layers = layers_of(given.model, self.train.shape)
  parts.check(self.layers, self.train_loader, o)
  self.epochs = o.epochs
  self.unread = settings.check_read(o, self.given, replaced(given))
  return self
end

-- prepare(given) -> what icl.fit works with: model, train_loader, optimizer, scaler, schedule, criterion, epochs,
-- metrics (for evaluations), train_metrics and of_epoch (those of them that are of a whole epoch), on_gradients,
-- on_step, on_epoch, ema (nil: none), views; each and last, the sets to evaluate after each epoch and at the end, {
-- key =, title =, loader =, ema_loader = }; train, val, test, given, notes and layers, for the header; unread, a warning
-- or nil.
local function prepare(given)
  check(given)
  return usage.during(given.options, training, given)
end

return prepare
