-- confidence_penalty.lua: low entropy of the predictions is punished (Pereyra et al. 2017): the loss is the
-- cross-entropy minus beta times the entropy, where that is below a threshold.
local icl = require "icl"
local nn = icl.nn
local opt = icl.options "A penalty on confident predictions (Pereyra et al. 2017)"
  : value("beta", 0.1, "weight of the entropy", { min = 0 })
  : value("threshold", 0.0, "entropy above which there is no penalty, in nats; 0: none", { min = 0 })
  : value("channels", 16, "channels of the first layer", { min = 1 })
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { epochs = 20, base_lr = 0.1, schedule = "cosine" }
  : parse(arg)

local train, val, test = icl.data.open(opt)
local c = opt.channels
local model = nn.sequential {
  nn.conv2d(train.shape[3], c, 3), nn.batch_norm(c), nn.relu(), nn.max_pool2d(2),
  nn.conv2d(c, 2 * c, 3), nn.batch_norm(2 * c), nn.relu(), nn.global_avg_pool(), nn.linear(2 * c, train.classes),
}

local function entropy(logits)
  local logp = logits:log_softmax()
  return -(logp:exp() * logp):sum(-1)
end

local function loss(logits, target)
  local h = entropy(logits)
  local penalty = opt.threshold > 0 and (opt.threshold - h):relu() or -h
  return icl.loss.cross_entropy(logits, target) + opt.beta * penalty:mean()
end

icl.fit { model = model, train = train, val = val, test = test, options = opt, loss = loss,
          metrics = { entropy = function(logits) return entropy(logits):mean() end } }
