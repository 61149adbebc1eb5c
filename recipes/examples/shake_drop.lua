-- shake_drop.lua: ShakeDrop (Yamada et al. 2018): a residual branch is multiplied by b + alpha - b alpha in the forward
-- pass and by b + beta - b beta in the backward pass; b is 1 with a probability that falls from block to block.
local icl = require "icl"
local nn = icl.nn
local opt = icl.options "ShakeDrop (Yamada et al. 2018)"
  : value("last_prob", 0.5, "probability that the last block is left alone", { min = 0, max = 1 })
  : value("blocks", 6, "residual blocks", { min = 1 }) : value("channels", 16, "their channels", { min = 1 })
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { epochs = 20, base_lr = 0.1, schedule = "cosine" }
  : parse(arg)

local shake = icl.autograd.define {
  forward = function(ctx, x, b, alpha, beta)
    ctx.factor = b + beta - b * beta
    return x * (b + alpha - b * alpha)
  end,
  backward = function(ctx, g) return g * ctx.factor end,
}

local ShakeDrop = nn.layer "shake_drop"

function ShakeDrop:init(p)
  self.p = p
end

-- alpha is drawn from -1 to 1 and beta from 0 to 1, for each image; the mean of the forward factor is p.
function ShakeDrop:forward(x)
  if not self.training then return x * self.p end
  local shape = { x:size(1), 1, 1, 1 }
  local b = icl.random.bernoulli(self.p, { 1, 1, 1, 1 }):float()
  return shake(x, b, icl.random.uniform(shape) * 2 - 1, icl.random.uniform(shape))
end

local Block = nn.layer "block"

function Block:init(channels, p)
  self.branch = nn.sequential {
    nn.batch_norm(channels), nn.conv2d(channels, channels, 3), nn.batch_norm(channels), nn.relu(),
    nn.conv2d(channels, channels, 3), nn.batch_norm(channels), ShakeDrop(p),
  }
end

function Block:forward(x)
  return x + self.branch(x)
end

local train, val, test = icl.data.open(opt)
local model = nn.sequential { nn.conv2d(train.shape[3], opt.channels, 3, { stride = 2 }) }
for l = 1, opt.blocks do model:append(Block(opt.channels, 1 - l / opt.blocks * (1 - opt.last_prob))) end
for _, layer in ipairs { nn.batch_norm(opt.channels), nn.relu(), nn.global_avg_pool(),
                         nn.linear(opt.channels, train.classes) } do
  model:append(layer)
end
icl.fit { model = model, train = train, val = val, test = test, options = opt }
