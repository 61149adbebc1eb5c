-- gradient_penalty.lua: a penalty on the gradient of the loss by the image (Drucker and Le Cun 1992; Ross and
-- Doshi-Velez 2018), which makes small changes of an image matter less. Its own gradient is a second derivative.
local icl = require "icl"
local nn = icl.nn
local opt = icl.options "A penalty on the gradient of the loss by the image (Drucker and Le Cun 1992)"
  : value("lambda", 0.1, "weight of the penalty", { min = 0 })
  : value("channels", 16, "channels of the first layer", { min = 1 })
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { epochs = 20, base_lr = 0.1, schedule = "cosine" }
  : parse(arg)

local train, _, test = icl.data.open(opt)
local c = opt.channels
local model = nn.sequential {  -- group norm, so that an image has a gradient of its own
  nn.conv2d(train.shape[3], c, 3), nn.group_norm(4, c), nn.silu(), nn.avg_pool2d(2),
  nn.conv2d(c, 2 * c, 3), nn.group_norm(4, 2 * c), nn.silu(), nn.avg_pool2d(2), nn.global_avg_pool(),
  nn.linear(2 * c, train.classes),
}
local loader = icl.data.loader(train, { options = opt, training = true })
local test_loader = icl.data.loader(test, { options = opt })
local optimizer = icl.optim.from_options(opt, model)
local schedule = icl.schedule.from_options(opt, loader.batches)
local run = icl.run {
  options = opt, model = model, keep = { model = model, optimizer = optimizer, schedule = schedule },
}

for _ in run:epochs() do
  for batch in run:batches(loader) do
    local loss = icl.loss.cross_entropy(model(batch.image), batch.target, { reduction = "sum" })
    local gradient = icl.grad(loss, { batch.image })[1]
    local penalty = (gradient * gradient):sum()
    local total = (loss + opt.lambda * penalty) / batch:size()
    total:backward()
    optimizer:step(schedule(run.step))
    run:log { loss = loss / batch:size(), penalty = penalty / batch:size() }
  end
  run:report { train = run.average, test = icl.evaluate(model, test_loader) }
end
