-- models/se_resnet_preact.lua: pre-activation ResNet with squeeze-excitation at the end of each branch (Hu et al.
-- 2018).
local Network = require "icl.models.network"
local ResNetPreact = require "icl.models.resnet_preact"

local SE = Network.family("se_resnet_preact", "Pre-activation ResNet with squeeze-excitation (Hu et al. 2018)",
  { "cifar" }, ResNetPreact)
ResNetPreact.add_options(SE.options)
  : value("se_reduction", 16, "how many times fewer numbers the inner layer of the squeeze-excitation has", { min = 1 })
  : check(function(o)
      if o.se_reduction and o.initial_channels < o.se_reduction then
        return ("a {se_reduction} of %d leaves nothing of {initial_channels} %d"):format(o.se_reduction,
          o.initial_channels)
      end
    end)

return SE
