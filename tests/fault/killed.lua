-- killed.lua: a run of everything that has a state: mixing, batches in parts, Adam, averages, an image folder, a loop
-- of one's own that remembers, a best figure.
local icl = require "icl"

local opt = icl.options "a run that may be killed"
  : include(icl.options.data, icl.options.training, icl.options.runtime)
  : default { dataset = "folder", image_size = 12, epochs = 3, batch_size = 4 }
  : parse(arg)
local train, _, test = icl.data.open(opt)
local nn, augment = icl.nn, icl.augment

local model = nn.sequential(nn.conv2d(3, 4, 3), nn.batch_norm(4), nn.relu(), nn.dropout(0.2), nn.global_avg_pool(),
  nn.linear(4, train.classes))
local optimizer = icl.optim.adam(model)
local ema = icl.ema(model, { decay = 0.9, warmup = true })
local loader = icl.data.loader(train, { batch_size = opt.batch_size, training = true, chain = augment.chain {
  augment.random_resized_crop {}, augment.hflip {}, augment.normalize {}, augment.mixup {} } })
local run = icl.run {
  epochs = opt.epochs, output = opt.output, resume = opt.resume, save_every = opt.save_every, keep_epochs = opt.keep,
  model = model, keep = { model = model, optimizer = optimizer, ema = ema },
}

for epoch in run:epochs() do
  for batch in run:batches(loader) do
    for _, part in ipairs(batch:chunks(2)) do
      local loss = icl.loss.cross_entropy(model(part.image), part.target) * 0.5
      loss:backward()
      run:log { loss = loss }
    end
    optimizer:step(0.01)
    ema:update()
  end
  local figures = run.average
  run:report { train = figures, test = icl.evaluate(model, test), test_ema = ema:apply(icl.evaluate, model, test) }
  run.memory[epoch * 10] = figures.loss
end
local losses = {}
for epoch = 1, opt.epochs do losses[epoch] = run.memory[epoch * 10] end
run:report { final = true, memory = { first = losses[1], last = losses[opt.epochs] } }
