-- distillation.lua: a small network learns what a larger one says (Hinton et al. 2015), at a temperature that shows how
-- the larger one ranks wrong classes; the moving average of its weights is evaluated beside it.
local icl = require "icl"
local nn = icl.nn
local opt = icl.options "Distillation (Hinton et al. 2015) with a moving average of the weights"
  : value("temperature", 4.0, "by which logits are divided", { min = 0.1 })
  : value("alpha", 0.9, "share of what the teacher says; the rest is the labels'", { min = 0, max = 1 })
  : value("teacher_epochs", 10, "for which the teacher is trained first", { min = 1 })
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { epochs = 20, base_lr = 0.1, schedule = "cosine", ema = 0.99 }
  : parse(arg)

local train, _, test = icl.data.open(opt)

local function net(channels)
  return nn.sequential {
    nn.conv2d(train.shape[3], channels, 3), nn.batch_norm(channels), nn.relu(), nn.max_pool2d(2),
    nn.conv2d(channels, 2 * channels, 3), nn.batch_norm(2 * channels), nn.relu(), nn.global_avg_pool(),
    nn.linear(2 * channels, train.classes),
  }
end

-- Trains a model with loss(logits, batch); after_step() is called behind each update.
local function fit(model, epochs, loss, after_step)
  local loader = icl.data.loader(train, { batch_size = opt.batch_size, training = true,
                                          chain = icl.augment.from_options(opt, train, { training = true }) })
  local optimizer = icl.optim.sgd(model, { weight_decay = opt.weight_decay })
  local run = icl.run { epochs = epochs, model = model }
  local schedule = icl.schedule { type = "cosine", base_lr = opt.base_lr, steps_per_epoch = loader.batches,
                                  epochs = epochs }
  for _ in run:epochs() do
    for batch in run:batches(loader) do
      local value = loss(model(batch.image), batch)
      value:backward()
      optimizer:step(schedule(run.step))
      after_step()
      run:log { loss = value }
    end
    run:report { train = run.average, test = icl.evaluate(model, test) }
  end
end

local teacher, student, T = net(32), net(8), opt.temperature
fit(teacher, opt.teacher_epochs, function(logits, batch) return icl.loss.cross_entropy(logits, batch.target) end,
  function() end)
teacher:eval():freeze()

local ema = icl.ema(student, { decay = opt.ema, warmup = true })
fit(student, opt.epochs, function(logits, batch)
  local soft = icl.loss.kl_div((logits / T):log_softmax(), (teacher(batch.image) / T):softmax(),
    { reduction = "batchmean" }) * T ^ 2
  return opt.alpha * soft + (1 - opt.alpha) * icl.loss.cross_entropy(logits, batch.target)
end, function() ema:update() end)
print(("test error of the average: %.2f %%"):format(100 * (1 - ema:apply(icl.evaluate, student, test).top1)))
