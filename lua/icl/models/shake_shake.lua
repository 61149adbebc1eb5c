-- models/shake_shake.lua: Shake-Shake (Gastaldi 2017): two branches a block, mixed in random shares that are drawn anew
-- for the backward pass. In evaluation both have half.
local nn = require "icl.nn"
local core = require "icl.core"
local fail = require "icl.internal.fail"
local autograd = require "icl.autograd"
local check_input = require "icl.nn.input"
local part = require "icl.internal.part"
local random = require "icl.random"
local Network = require "icl.models.network"
local blocks = require "icl.models.blocks"

local ShakeShake = Network.family("shake_shake", "Shake-Shake (Gastaldi 2017)", { "cifar" })
ShakeShake.options
  : value("depth", 26, "layers, 6n + 2", blocks.depths)
  : value("initial_channels", 96, "channels of the first stage; the stem has 16", { min = 2, max = 1 << 16 })
  : flag("shake_forward", true, "random shares in the forward pass, else half and half")
  : flag("shake_backward", true, "random shares in the backward pass, else half and half",
      { only = { shake_keep = false } })
  : flag("shake_image", true, "shares of each image, else of the whole batch",
      { only = { { shake_forward = true }, { shake_backward = true, shake_keep = false } } })
  : flag("shake_keep", false, "the backward pass keeps the shares of the forward pass")

local STEM = 16

-- a, b, alpha, beta -> alpha a + (1 - alpha) b, with beta in alpha's place in the gradient.
local mix = autograd.define {
  forward = function(ctx, a, b, alpha, beta)
    ctx.beta, ctx.dtype = beta, a:dtype()
    return (a * alpha + b * (1 - alpha)):cast(ctx.dtype)
  end,
  backward = function(ctx, g)
    return (g * ctx.beta):cast(ctx.dtype), (g * (1 - ctx.beta)):cast(ctx.dtype)
  end,
}

local Branch = nn.layer "shake_branch"

function Branch:init(input, output, stride, init)
  self.conv1 = nn.conv2d(input, output, 3, { stride = stride, init = init })
  self.bn1 = nn.batch_norm(output)
  self.conv2 = nn.conv2d(output, output, 3, { init = init })
  self.bn2 = nn.batch_norm(output)
end

function Branch:forward(x)
  check_input(self, x)
  return self.bn2(self.conv2(self.bn1(self.conv1(x:relu())):relu()))
end

-- The shortcut where the channels change: half of the result is made of every other pixel, the other half of the
-- pixels right below those.
local Skip = nn.layer "shake_skip"

function Skip:init(input, output, stride, init)
  local half = output // 2
  self.conv1 = nn.conv2d(input, half, 1, { stride = stride, init = init })
  self.conv2 = nn.conv2d(input, half, 1, { stride = stride, init = init })
  self.bn = nn.batch_norm(2 * half)
end

-- x (n, h, w, c) moved up and left by one pixel, with zeros at the bottom and at the right.
local function shifted(x)
  local inner = x:narrow(2, 2, x:size(2) - 1):narrow(3, 2, x:size(3) - 1)
  return core.ops.pad(inner, { low = { 0, 0, 0, 0 }, high = { 0, 1, 1, 0 } })
end

function Skip:forward(x)
  check_input(self, x)
  local h = x:relu()
  return self.bn(core.ops.concat(self.conv1(h), self.conv2(shifted(h)), { dim = 4 }))
end

local Block = nn.layer "shake_block"

function Block:init(input, output, stride, o)
  self.shake_forward, self.shake_image = o.shake_forward, o.shake_image
  self.keep, self.shake_backward = o.shake_keep, o.shake_backward
  self.residual_path1 = Branch(input, output, stride, o.init_mode)
  self.residual_path2 = Branch(input, output, stride, o.init_mode)
  if input ~= output then
    self.shortcut = nn.sequential { { "skip", Skip(input, output, stride, o.init_mode) } }
  end
end

-- The share of the first branch: "alpha" in the forward pass, "beta" in the backward pass; (images, 1, 1, 1), or one
-- number as (1, 1, 1, 1). A block can be given a function of its own in this place.
function Block:draw(name, images)
  local shape = { self.shake_image and images or 1, 1, 1, 1 }
  local options = { shape = shape }
  if not self.shake_image then return core.ops.uniform(random.key(name), options) end
  return core.ops.uniform(random.key(name), part.draw_of(shape, options))
end

function Block:mixed(a, b)
  if not self.training then return (a + b) * 0.5 end
  local alpha = self.shake_forward and self:draw("alpha", a:size(1)) or 0.5
  if self.keep then return (a * alpha + b * (1 - alpha)):cast(a:dtype()) end
  return mix(a, b, alpha, self.shake_backward and self:draw("beta", a:size(1)) or 0.5)
end

function Block:forward(x)
  check_input(self, x)
  local y = self:mixed(self.residual_path1(x), self.residual_path2(x))
  return (self.shortcut and self.shortcut(x) or x) + y
end

-- icl.models.shake_shake(options): icl.models.shake_shake.options shows them; and input = { height, width,
-- channels }, classes.
function ShakeShake:init(...)
  local o = self:read(...)
  if o.initial_channels % 2 == 1 then
    fail("shake_shake: {initial_channels} is %d; it must be even, since shortcuts have two halves", o.initial_channels)
  end
  self:build(o, {
    channels = STEM, stem_norm = "bn", last_relu = true, blocks = self:stage_blocks(o, 6, 2),
    block = function(input, stage, _, stride)
      local output = blocks.stage_channels(o.initial_channels, stage, "basic")
      return Block(input, output, stride, o), output
    end,
  })
end

return ShakeShake
