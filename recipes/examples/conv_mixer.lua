-- conv_mixer.lua: ConvMixer (Trockman and Kolter 2022): patches, then layers that mix positions of each channel by a
-- convolution of its own and channels of each position by one of 1 x 1.
local icl = require "icl"
local nn = icl.nn
local opt = icl.options "ConvMixer (Trockman and Kolter 2022)"
  : value("dim", 64, "channels", { min = 1 }) : value("depth", 4, "layers", { min = 1 })
  : value("kernel_size", 5, "of the convolutions that mix positions, odd", { min = 1 })
  : value("patch_size", 2, "pixels of a patch along a side", { min = 1 })
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { epochs = 20, optimizer = "adamw", base_lr = 0.01, weight_decay = 0.05, schedule = "cosine" }
  : parse(arg)

local Residual = nn.layer "residual"

function Residual:init(...)
  self.fn = nn.sequential(...)
end

function Residual:forward(x)
  return x + self.fn(x)
end

local function conv_mixer(input, classes, dim, depth, kernel_size, patch_size)
  local layers = {
    nn.conv2d(input, dim, patch_size, { stride = patch_size, padding = 0, bias = true }), nn.gelu(), nn.batch_norm(dim),
  }
  for _ = 1, depth do
    layers[#layers + 1] = nn.sequential {
      Residual { nn.conv2d(dim, dim, kernel_size, { groups = dim, bias = true }), nn.gelu(), nn.batch_norm(dim) },
      nn.conv2d(dim, dim, 1, { bias = true }), nn.gelu(), nn.batch_norm(dim),
    }
  end
  layers[#layers + 1], layers[#layers + 2] = nn.global_avg_pool(), nn.linear(dim, classes)
  return nn.sequential(layers)
end

local train, val, test = icl.data.open(opt)
local model = conv_mixer(train.shape[3], train.classes, opt.dim, opt.depth, opt.kernel_size, opt.patch_size)
icl.fit { model = model, train = train, val = val, test = test, options = opt }
