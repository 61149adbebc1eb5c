-- nn: layers. nn.conv2d, nn.linear, ... are classes that are loaded from the file of their name when they are first used.
local nn = {}

-- nn.layer(name) -> a new class of modules to put `init` and `forward` into.
function nn.layer(name)
  return require "icl.nn.module".class(name)
end

local layers = {
  avg_pool2d = true, batch_norm = true, conv2d = true, dropout = true, flatten = true, global_avg_pool = true,
  initial = true, linear = true, max_pool2d = true, relu = true, sequential = true, summary = true,
}

return setmetatable(nn, {
  __index = function(self, name)
    if not layers[name] then return nil end
    local layer = require("icl.nn." .. name)
    rawset(self, name, layer)
    return layer
  end,
})
