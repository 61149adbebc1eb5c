-- muon.lua: Muon (Jordan et al. 2024) as an optimizer of one's own: the momentum of each weight is made orthogonal by
-- iterations of Newton and Schulz; vectors are moved by SGD. icl.optim.muon is the one to use (--optimizer muon).
local icl = require "icl"
local nn = icl.nn
local opt = icl.options "Muon (Jordan et al. 2024), written out"
  : value("channels", 16, "channels of the first layer", { min = 1 })
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { epochs = 20, base_lr = 0.02, schedule = "cosine", momentum = 0.95 }
  : parse(arg)

-- U V of the singular value decomposition U S V of a matrix, nearly.
local function orthogonal(g)
  local wide = g:size(1) <= g:size(2)
  local x = wide and g or g:transpose()
  x = x / (x:norm() + 1e-7)
  for _ = 1, 5 do
    local a = x:matmul(x, { transpose_b = true })
    local b = -4.7750 * a + 2.0315 * a:matmul(a)
    x = 3.4445 * x + b:matmul(x)
  end
  return wide and x or x:transpose()
end

-- A weight as a matrix, each column of which makes one output.
local function update(p, g, own, s)
  local m = s.momentum * own.momentum_buffer + g
  own.momentum_buffer:write(m)
  local move = g + s.momentum * m
  if p:rank() >= 2 then
    local matrix = move:reshape(-1, p:size(-1))
    local scale = math.sqrt(math.max(1, matrix:size(2) / matrix:size(1)))
    move = (orthogonal(matrix) * scale):reshape(p:shape())
  end
  return p - s.lr * (move + s.weight_decay * p)
end

local muon = icl.optim.define("my_muon", {
  defaults = { momentum = 0.95 }, states = { "momentum_buffer" }, update = update,
})

local train, val, test = icl.data.open(opt)
local c = opt.channels
local model = nn.sequential {
  nn.conv2d(train.shape[3], c, 3), nn.batch_norm(c), nn.relu(), nn.max_pool2d(2),
  nn.conv2d(c, 2 * c, 3), nn.batch_norm(2 * c), nn.relu(), nn.global_avg_pool(), nn.linear(2 * c, train.classes),
}
icl.fit {
  model = model, train = train, val = val, test = test, options = opt,
  optimizer = muon(model, { momentum = opt.momentum, weight_decay = opt.weight_decay }),
}
