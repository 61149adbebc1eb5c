-- nn: layers. nn.conv2d, nn.linear, ... are classes; nn.names lists them.
local nn = {}

-- nn.layer(name [, base]) -> a new class of modules to put `init` and `forward` into; what it lacks is taken from the
-- class `base`.
function nn.layer(name, base)
  return require "icl.nn.module".class(name, base)
end

return require "icl.internal.lazy"(nn, "icl.nn", {
  "avg_pool2d", "batch_norm", "conv2d", "dropout", "flatten", "global_avg_pool", "initial", "linear", "list",
  "max_pool2d", "relu", "sequential", "squeeze_excite", "summary",
})
