-- drop_block.lua: DropBlock (Ghiasi et al. 2018): dropout of squares of a feature map, which neighbours cannot stand in
-- for; the share that is dropped rises linearly during the training.
local icl = require "icl"
local nn = icl.nn
local opt = icl.options "DropBlock (Ghiasi et al. 2018)"
  : value("keep_prob", 0.9, "share of a feature map that is kept in the end", { min = 0.01, max = 1 })
  : value("block_size", 5, "height and width of what is dropped, odd", { min = 1 })
  : value("channels", 16, "channels of the first layer", { min = 1 })
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { epochs = 20, base_lr = 0.1, schedule = "cosine" }
  : parse(arg)

local DropBlock = nn.layer "drop_block"

function DropBlock:init(size)
  self.size, self.drop_prob = size, 0
end

-- Middles of blocks are drawn with the probability gamma, and grow to blocks; what is left is scaled up.
function DropBlock:forward(x)
  if not self.training or self.drop_prob == 0 then return x end
  local h, w = x:size(2), x:size(3)
  local size = math.min(self.size, h, w)
  size = size - 1 + size % 2
  local gamma = self.drop_prob / size ^ 2 * (h * w) / ((h - size + 1) * (w - size + 1))
  local middles = icl.random.bernoulli(gamma, { x:size(1), h, w, x:size(4) }):float()
  local mask = 1 - middles:max_pool2d { kernel = size, stride = 1, padding = size // 2 }
  return x * mask / mask:mean():maximum(1e-3)
end

local train, val, test = icl.data.open(opt)
local c, drops = opt.channels, {}

local function stage(input, output, stride)
  drops[#drops + 1] = DropBlock(opt.block_size)
  return nn.sequential { nn.conv2d(input, output, 3, { stride = stride }), nn.batch_norm(output), nn.relu(),
                         drops[#drops] }
end

local model = nn.sequential {
  stage(train.shape[3], c, 1), stage(c, 2 * c, 2), stage(2 * c, 4 * c, 2), nn.global_avg_pool(),
  nn.linear(4 * c, train.classes),
}
local steps = opt.epochs * (train.count // opt.batch_size)
icl.fit {
  model = model, train = train, val = val, test = test, options = opt,
  on_step = function(run)
    for _, drop in ipairs(drops) do drop.drop_prob = (1 - opt.keep_prob) * math.min(run.step / steps, 1) end
  end,
}
