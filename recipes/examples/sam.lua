-- sam.lua: sharpness-aware minimization (Foret et al. 2021), its two passes written out; icl.optim.sam wraps any
-- optimizer in them, and --sam-rho of every recipe takes that.
local icl = require "icl"
local nn = icl.nn
local opt = icl.options "Sharpness-aware minimization (Foret et al. 2021)"
  : value("rho", 0.05, "how far away the worst weights are looked for", { min = 0 })
  : value("channels", 16, "channels of the first layer", { min = 1 })
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { epochs = 20, base_lr = 0.1, schedule = "cosine" }
  : parse(arg)

local train, _, test = icl.data.open(opt)
local c = opt.channels
local model = nn.sequential {
  nn.conv2d(train.shape[3], c, 3), nn.group_norm(4, c), nn.relu(), nn.max_pool2d(2),
  nn.conv2d(c, 2 * c, 3), nn.group_norm(4, 2 * c), nn.relu(), nn.global_avg_pool(), nn.linear(2 * c, train.classes),
}
local loader = icl.data.loader(train, { options = opt, training = true })
local test_loader = icl.data.loader(test, { options = opt })
local optimizer = icl.optim.from_options(opt, model)
local schedule = icl.schedule.from_options(opt, loader.batches)

-- Moves every weight by rho g / |g|, the norm that of all gradients together; -> the weights as they were.
local function climb(parameters)
  local squares, before = 0, {}
  for _, w in ipairs(parameters) do squares = squares + (w.grad * w.grad):sum() end
  for i, w in ipairs(parameters) do
    before[i] = w:read()
    w:write(before[i] + opt.rho * w.grad / (squares:sqrt() + 1e-12))
    w:clear_grad()
  end
  return before
end

local run = icl.run {
  options = opt, model = model, keep = { model = model, optimizer = optimizer, schedule = schedule },
}
for _ in run:epochs() do
  for batch in run:batches(loader) do
    local function loss() return icl.loss.cross_entropy(model(batch.image), batch.target, opt.label_smoothing) end
    local here = loss()
    here:backward()
    local parameters = model:parameters()
    local before = climb(parameters)
    loss():backward()
    for i, w in ipairs(parameters) do w:write(before[i]) end
    optimizer:step(schedule(run.step))
    run:log { loss = here }
  end
  run:report { train = run.average, test = icl.evaluate(model, test_loader) }
end
