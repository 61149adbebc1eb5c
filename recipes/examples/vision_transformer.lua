-- vision_transformer.lua: a small vision transformer (Dosovitskiy et al. 2021): patches as a sequence with learned
-- positions and a class token, and layers of attention and of two linear layers, each behind a layer norm.
local icl = require "icl"
local nn = icl.nn
local opt = icl.options "A small vision transformer (Dosovitskiy et al. 2021)"
  : value("width", 64, "numbers of a position", { min = 1 }) : value("depth", 4, "layers", { min = 1 })
  : value("heads", 4, "of the attention", { min = 1 })
  : value("patch_size", 4, "pixels of a patch along a side", { min = 1 })
  : value("drop_path", 0.1, "probability that the last layer is left out", { min = 0, max = 0.9 })
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { epochs = 20, optimizer = "adamw", base_lr = 1e-3, weight_decay = 0.05, schedule = "cosine",
              gradient_clip = 1 }
  : parse(arg)

local Layer = nn.layer "transformer_layer"

function Layer:init(width, heads, p)
  self.norm1, self.attn = nn.layer_norm(width), nn.multi_head_attention(width, heads)
  self.norm2, self.drop_path = nn.layer_norm(width), nn.drop_path(p)
  self.mlp = nn.sequential { nn.linear(width, 4 * width), nn.gelu(), nn.linear(4 * width, width) }
end

function Layer:forward(x)
  x = x + self.drop_path(self.attn(self.norm1(x)))
  return x + self.drop_path(self.mlp(self.norm2(x)))
end

local Transformer = nn.layer "vision_transformer"

function Transformer:init(shape, classes, o)
  local h, w = shape[1] // o.patch_size, shape[2] // o.patch_size
  self.patch_embed = nn.conv2d(shape[3], o.width, o.patch_size, { stride = o.patch_size, padding = 0, bias = true })
  self:parameter("cls_token", nn.initial.normal({ 1, 1, o.width }, 0.02))
  self:parameter("pos_embed", nn.initial.normal({ 1, 1 + h * w, o.width }, 0.02))
  self.layers = nn.list {}
  for i = 1, o.depth do self.layers:append(Layer(o.width, o.heads, o.drop_path * i / o.depth)) end
  self.norm, self.head = nn.layer_norm(o.width), nn.linear(o.width, classes)
end

function Transformer:forward(images)
  local x = self.patch_embed(images)
  local n, width = x:size(1), x:size(4)
  local token = self.cls_token:expand(n, 1, width):cast(x:dtype())
  x = icl.concat({ token, x:reshape(n, -1, width) }, 2) + self.pos_embed
  for _, layer in ipairs(self.layers) do x = layer(x) end
  return self.head(self.norm(x:select(2, 1)))
end

local train, val, test = icl.data.open(opt)
local model = Transformer(train.shape, train.classes, opt)
icl.fit { model = model, train = train, val = val, test = test, options = opt }
