-- manifold_mixup.lua: Manifold Mixup (Verma et al. 2019): what goes into one layer, another one in each step, is mixed
-- with what goes in for other images, and the targets are mixed in the same shares.
local icl = require "icl"
local nn = icl.nn
local opt = icl.options "Manifold Mixup (Verma et al. 2019)"
  : value("alpha", 2.0, "shares are drawn from Beta(alpha, alpha)", { min = 0.001 })
  : value("channels", 16, "channels of the first layer", { min = 1 })
  : include(icl.options.data, icl.options.training, icl.options.runtime)
  : default { epochs = 20, base_lr = 0.1, schedule = "cosine" }
  : parse(arg)

local Net = nn.layer "net"

function Net:init(input, channels, classes)
  local function stage(from, to, stride)
    return nn.sequential { nn.conv2d(from, to, 3, { stride = stride }), nn.batch_norm(to), nn.relu() }
  end
  self.stages = nn.list {
    stage(input, channels, 1), stage(channels, 2 * channels, 2), stage(2 * channels, 4 * channels, 2),
  }
  self.fc = nn.linear(4 * channels, classes)
end

-- mix: { layer =, share =, order = }, what is mixed; nil in evaluation.
function Net:forward(x, mix)
  for k, stage in ipairs(self.stages) do
    if mix and mix.layer == k then x = mix.share * x + (1 - mix.share) * x:gather(mix.order) end
    x = stage(x)
  end
  return self.fc(x:global_avg_pool())
end

local train, _, test = icl.data.open(opt)
local model = Net(train.shape[3], opt.channels, train.classes)
local loader = icl.data.loader(train, { options = opt, training = true, chain = icl.augment.chain {
  icl.augment.random_crop { padding = 4 }, icl.augment.normalize {},
} })
local test_loader = icl.data.loader(test, { options = opt })
local optimizer = icl.optim.from_options(opt, model)
local schedule = icl.schedule.from_options(opt, loader.batches)
local run = icl.run {
  options = opt, model = model, keep = { model = model, optimizer = optimizer, schedule = schedule },
}

for _ in run:epochs() do
  for batch in run:batches(loader) do
    local share, order = icl.random.beta(opt.alpha), icl.random.permutation(batch:size())
    local layer = 1 + math.floor(#model.stages * icl.random.number())
    local logits = model(batch.image, { layer = layer, share = share, order = order })
    local loss = icl.loss.cross_entropy(logits, {
      labels = { batch.target, batch.target:gather(order) }, weights = { share, 1 - share },
    })
    loss:backward()
    optimizer:step(schedule(run.step))
    run:log { loss = loss }
  end
  run:report { train = run.average, test = icl.evaluate(model, test_loader) }
end
