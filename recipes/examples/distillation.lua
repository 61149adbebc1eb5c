-- distillation.lua: a small network learns what a larger one says (Hinton et al. 2015), at a temperature that shows how
-- the larger one ranks wrong classes; the moving average of its weights is evaluated beside it.
local icl = require "icl"
local nn = icl.nn
local opt = icl.options "Distillation (Hinton et al. 2015) with a moving average of the weights"
  : value("temperature", 4.0, "by which logits are divided", { min = 0.1 })
  : value("alpha", 0.9, "share of what the teacher says; the rest is the labels'", { min = 0, max = 1 })
  : value("teacher_epochs", 10, "for which the teacher is trained first", { min = 1 })
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { epochs = 20, base_lr = 0.1, schedule = "cosine", ema = 0.99, ema_warmup = true }
  : parse(arg)

local train, _, test = icl.data.open(opt)

local function net(channels)
  return nn.sequential {
    nn.conv2d(train.shape[3], channels, 3), nn.batch_norm(channels), nn.relu(), nn.max_pool2d(2),
    nn.conv2d(channels, 2 * channels, 3), nn.batch_norm(2 * channels), nn.relu(), nn.global_avg_pool(),
    nn.linear(2 * channels, train.classes),
  }
end

local loader = icl.data.loader(train, { options = opt, training = true })
local test_loader = icl.data.loader(test, { options = opt })

-- Trains a model with loss(logits, batch); after_step() is called behind each update.
local function fit(model, run, optimizer, schedule, loss, after_step)
  for _ in run:epochs() do
    for batch in run:batches(loader) do
      local value = loss(model(batch.image), batch)
      value:backward()
      optimizer:step(schedule(run.step))
      after_step()
      run:log { loss = value }
    end
    run:report { train = run.average, test = icl.evaluate(model, test_loader) }
  end
end

-- Of a run that goes on the teacher is trained again, to the same weights.
local teacher, student, T = net(32), net(8), opt.temperature
fit(teacher, icl.run { epochs = opt.teacher_epochs, model = teacher }, icl.optim.sgd(teacher),
  icl.schedule { type = "cosine", steps_per_epoch = loader.batches, epochs = opt.teacher_epochs },
  function(logits, batch) return icl.loss.cross_entropy(logits, batch.target) end, function() end)
teacher:eval():freeze()

local ema = icl.ema(student, { decay = opt.ema, warmup = opt.ema_warmup })
local optimizer = icl.optim.from_options(opt, student)
local schedule = icl.schedule.from_options(opt, loader.batches)
local run = icl.run {
  options = opt, model = student, keep = { model = student, optimizer = optimizer, schedule = schedule, ema = ema },
}
fit(student, run, optimizer, schedule, function(logits, batch)
  local soft = icl.loss.kl_div((logits / T):log_softmax(), (teacher(batch.image) / T):softmax(),
    { reduction = "batchmean" }) * T ^ 2
  return opt.alpha * soft + (1 - opt.alpha) * icl.loss.cross_entropy(logits, batch.target)
end, function() ema:update() end)
print(("test error of the average: %.2f %%"):format(100 * (1 - ema:apply(icl.evaluate, student, test_loader).top1)))
