-- fix_match.lua: FixMatch (Sohn et al. 2020): few images have labels. What the network is sure of in an image that is
-- hardly changed is what it learns to say of the same image when it is changed much.
local icl = require "icl"
local nn, augment = icl.nn, icl.augment
local opt = icl.options "FixMatch (Sohn et al. 2020)"
  : value("labels", 32, "images with labels", { min = 1 })
  : value("ratio", 3, "images without labels for each one in a batch that has one", { min = 1 })
  : value("threshold", 0.95, "how sure it must be", { min = 0, max = 1 })
  : value("lambda", 1.0, "weight of what is learned without labels", { min = 0 })
  : include(icl.options.data, icl.options.training, icl.options.runtime)
  : default { epochs = 20, base_lr = 0.03, schedule = "cosine" }
  : parse(arg)

local train, _, test = icl.data.open(opt)
local _, some = icl.data.split(train, opt.labels / train.count)
local weak = { augment.random_crop {}, augment.hflip {}, augment.normalize {} }
local strong = { augment.random_crop {}, augment.hflip {}, augment.rand_augment {}, augment.normalize {},
                 augment.cutout {} }

local function loader(set, size, stages)
  return icl.data.loader(set, { training = true, batch_size = size, drop_last = true, chain = augment.chain(stages) })
end

local size = math.min(opt.batch_size, some.count // icl.distributed.size())
local labelled = loader(some, size, weak)
local unlabelled, changed = loader(train, size * opt.ratio, weak), loader(train, size * opt.ratio, strong)
local test_loader = icl.data.loader(test, { options = opt })
local model = nn.sequential {
  nn.conv2d(train.shape[3], 16, 3), nn.batch_norm(16), nn.relu(), nn.max_pool2d(2),
  nn.conv2d(16, 32, 3), nn.batch_norm(32), nn.relu(), nn.global_avg_pool(), nn.linear(32, train.classes),
}
local optimizer = icl.optim.from_options(opt, model)
local schedule = icl.schedule.from_options(opt, unlabelled.batches)
local run = icl.run { options = opt, model = model, keep = { optimizer = optimizer, schedule = schedule } }

for _ in run:epochs() do
  local next_labelled = labelled:cycle(run.step)
  for batch in run:batches(unlabelled) do
    local known, same = next_labelled(), changed:batch(batch.index, batch.epoch)  -- `same` has the images of `batch`
    local logits = model(icl.concat { known.image, same.image, batch.image })
    local of_known, of_same, of_batch = table.unpack(logits:split { size, size * opt.ratio, size * opt.ratio })
    local guess = of_batch:detach():softmax()
    local sure = guess:max(-1):ge(opt.threshold)
    local without = icl.loss.cross_entropy(of_same, guess:argmax(), { reduction = "none" }) * sure
    local loss = icl.loss.cross_entropy(of_known, known.target) + opt.lambda * without:mean()
    loss:backward()
    optimizer:step(schedule(run.step))
    run:log { loss = loss, sure = sure:float():mean() }
  end
  run:report { train = run.average, test = icl.evaluate(model, test_loader) }
end
