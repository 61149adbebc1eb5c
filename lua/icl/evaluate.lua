-- evaluate.lua: what a model makes of images that it does not learn from.
local arguments = require "icl.internal.arguments"
local augment = require "icl.augment"
local check_logits = require "icl.internal.check_logits"
local check_metrics = require "icl.internal.check_metrics"
local core = require "icl.core"
local data = require "icl.data"
local fail = require "icl.internal.fail"
local is_loader = require "icl.internal.is_loader"
local loss = require "icl.loss"
local metrics = require "icl.metrics"
local new_run = require "icl.run"
local nn = require "icl.nn.module"
local places = require "icl.internal.places"
local processes = require "icl.internal.processes"
local views = require "icl.internal.views"

local function view_function(given)
  if given == nil or type(given) == "function" then return given end
  return views.of[arguments.choice("icl.evaluate: views", given, arguments.names(views.of))]
end

local function check_model(model)
  local called = type(model) == "function" or (getmetatable(model) or {}).__call
  if nn.is_class(model) then
    fail("icl.evaluate: the model is the class %s; call it to make one", model.class_name)
  elseif not called then
    fail("icl.evaluate: the model is %s; it must be a module or a function of images", arguments.described(model))
  end
end

-- The loader of what was given: one, or a set.
local function loader_of(given, options)
  arguments.typed("icl.evaluate", given, "table", "a set or a loader behind the model")
  if not is_loader(given) then
    local chain = options.chain or given.count and augment.from_options({}, given)
    return data.loader(given, { batch_size = options.batch_size or 256, chain = chain })
  elseif options.batch_size or options.chain then
    fail "icl.evaluate: a loader has a batch_size and a chain already; give its set to have others: loader.set"
  elseif given.training then
    fail "icl.evaluate: a loader for training draws and leaves out images; give its set: loader.set"
  end
  return given
end

-- What was logged in a run's last loop, which is that again when it is closed.
local function averages_of(run)
  local last, average = run.last, run.average
  return setmetatable({}, { __close = function() run.last, run.average = last, average end })
end

-- The logits of images; of several views of them the mean.
local function predict(model, image, view)
  local images = view and view(image) or image
  if type(images) ~= "table" then return check_logits("icl.evaluate", model(images)) end
  local logits = {}
  for i, one in ipairs(images) do logits[i] = check_logits("icl.evaluate", model(one)) end
  if #logits == 0 then fail "icl.evaluate: views gives no images; it must give a list of them" end
  return metrics.mean_of_views(logits)
end

local function watcher(watch)
  return { turn = function(_, run, loop) watch(run, loop) end }
end

-- Can what these metrics found be put together?
local function can_merge(own)
  for _, metric in pairs(own) do
    if type(metric) == "table" and not metric.merge then return false end
  end
  return true
end

-- Where several processes train all get the statistics of the main one, and the loader is one for a part of the set;
-- for all of it where it is not one of icl.data, or a metric cannot be put together.
local function share_out(model, loader, own)
  if not processes.are_several() then return loader end
  if nn.is(model) then processes.spread(model:buffers()) end
  return loader.shared_out and can_merge(own) and loader:shared_out() or loader
end

-- The averages over a loader, in a loop of the run, and the figures of the whole of it.
local function average_over(run, model, whole, options)
  local view, own, result = view_function(options.views), metrics.clones(options.metrics), {}
  local loader = share_out(model, whole, own)
  for batch in run:batches(loader) do
    local logits = predict(model, batch.image, view)
    local figures = metrics.figures(logits, batch.target, own)
    figures.loss = loss.cross_entropy(logits, batch.target)
    run:log(figures)
  end
  for name, value in pairs(run.average) do result[name] = value end
  for _, name in ipairs(loader.shared and arguments.names(own) or {}) do
    if type(own[name]) == "table" then own[name]:merge() end
  end
  for name, value in pairs(metrics.values(own)) do result[name] = value end
  return result
end

-- icl.evaluate(model, set or loader [, { metrics =, views =, batch_size = 256, chain = }]) -> { loss =, top1 =, top5 =,
-- count = images }: means over the images of plain cross-entropy and of the shares of images whose label is the first
-- or among the first five.
--
--   print(icl.evaluate(model, test).top1)
--
-- The model is a module, which is in evaluation mode meanwhile, or a function of images. metrics = { name =
-- function(logits, target) ... end } adds figures of one's own: one number for a batch, averaged by images; or of the
-- whole set, such as icl.metrics.f1 { classes = 10 }. views = "flip" takes the mean of the logits of each image and of
-- its mirror image, "five_crop" of the corners and the middle (7 / 8 of a side each), "ten_crop" of these and their
-- mirror images, for networks that take images of that size; a function(images) gives a list of views. chain is that of
-- the loader that is made for a set, without random stages unless it is given.
--
-- Where several processes train, all must call it: each does some of the batches, and all return the figures that one
-- would. Statistics of batch norm are those of the main process. A metric of one's own is shared out if it has
-- merge(self), which takes in what the others found.
--
-- It may be called wherever no step is open, in an epoch too: the averages and draws of a run stay as they are, and
-- each module gets its mode back, also after an error. With run = a run it is a loop of that run, which shows it and
-- goes on with it after an interruption; otherwise watch = function(run, loop) is called after each batch.
local function evaluate(model, set, given, ...)
  arguments.no_more("icl.evaluate", "a model, a set and a table of options", ...)
  local options = arguments.options("icl.evaluate", given, {}, { "metrics", "views", "batch_size", "chain", "run",
                                                                 "watch" })
  check_model(model)
  check_metrics("icl.evaluate", options.metrics)
  local loader = loader_of(set, options)
  if core.in_step() then fail "icl.evaluate: a step is open; call it outside of icl.step and of loops over batches" end
  local modes <close> = nn.keep_modes { model, options.run and options.run.model }
  if nn.is(model) then model:eval() end
  local result
  if options.run then
    local logged <close> = averages_of(options.run)
    result = average_over(options.run, model, loader, options)
  else
    places.enter(places.name "evaluate", 0)
    local outside <close> = places.leaving
    local run = new_run { quiet = true, sinks = { options.watch and watcher(options.watch) } }
    result = average_over(run, model, loader, options)
  end
  result.count = math.min(loader.set.count, loader.batches * loader.batch_size)
  return result
end

return evaluate
