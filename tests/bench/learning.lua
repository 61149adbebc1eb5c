-- learning.lua: does a recipe learn? Trains its model for an epoch, or 500 steps if that is shorter, and prints the
-- mean loss of every tenth of them. Fails unless the last is below the first.
--
--   build/release/icl tests/bench/learning.lua recipes/vgg.lua --preset vgg15 [OPTION...]
local icl = require "icl"

local STEPS, PARTS = 500, 10

-- Stands in for icl.fit, which the recipe calls with what it has made of its options.
local function learn(given)
  local opt, means, sum, count = given.options, {}, 0, 0
  local chain = icl.augment.from_options(opt, given.train, { training = true })
  local loader = icl.data.loader(given.train, { batch_size = opt.batch_size, training = true, chain = chain })
  local optimizer = icl.optim.from_options(opt, given.model)
  local steps = math.min(STEPS, loader.batches)
  local sink = { turn = function(_, run)
    sum, count = sum + run.last.loss, count + 1
    if run.step * PARTS // steps > #means then means[#means + 1], sum, count = ("%.3f"):format(sum / count), 0, 0 end
  end }
  local run = icl.run { epochs = 1, quiet = true, sinks = { sink } }
  for _ in run:epochs() do
    for batch in run:batches(loader) do
      local loss = icl.loss.cross_entropy(given.model(batch.image), batch.target)
      loss:backward()
      optimizer:step(opt.base_lr)
      run:log { loss = loss }
      if run.step + 1 == steps then break end
    end
  end
  print(("%d steps of %d images of %s, loss %s"):format(run.step, opt.batch_size, given.train.name,
    table.concat(means, " ")))
  if not (tonumber(means[PARTS]) < tonumber(means[1])) then error("the loss did not fall", 0) end
end

local recipe = table.remove(arg, 1) or error("which recipe?", 0)
arg[0] = recipe
rawset(icl, "fit", learn)
dofile(recipe)
