-- models/se_resnet_preact.lua: pre-activation ResNet with squeeze-excitation at the end of each branch (Hu et al.
-- 2018).
local Network = require "icl.models.network"
local blocks = require "icl.models.blocks"
local ResNetPreact = require "icl.models.resnet_preact"

local SE = Network.family("se_resnet_preact", "Pre-activation ResNet with squeeze-excitation (Hu et al. 2018)",
  { "cifar" }, ResNetPreact)
SE.options : value("depth", nil, "layers, 6n + 2, or 9n + 2 with bottleneck blocks (default 110)", blocks.depths)
ResNetPreact.add_options(SE)
  : value("se_reduction", 16, "how many times fewer numbers the inner layer of the squeeze-excitation has",
      { min = 1, max = 1 << 16 })
  : check(function(o)
      local channels = o.initial_channels or SE.forms.cifar.initial_channels
      if o.se_reduction and channels < o.se_reduction then
        return ("a {se_reduction} of %d leaves nothing of {initial_channels} %d"):format(o.se_reduction, channels)
      end
    end)

SE.papers = {}

return SE
