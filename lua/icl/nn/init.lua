-- nn: layers. nn.conv2d, nn.linear, ... are classes; nn.names lists them.
local nn = {}

-- nn.layer(name [, base]) -> a new class of modules to put `init` and `forward` into; what it lacks is taken from the
-- class `base`.
function nn.layer(name, base)
  return require "icl.nn.module".class(name, base)
end

return require "icl.internal.lazy"(nn, "icl.nn", {
  "adaptive_avg_pool2d", "avg_pool2d", "batch_norm", "conv2d", "conv_transpose2d", "drop_path", "dropout",
  "dropout2d", "elu", "embedding", "flatten", "gelu", "global_avg_pool", "group_norm", "hardswish", "identity",
  "initial", "instance_norm", "layer_norm", "leaky_relu", "linear", "list", "max_pool2d", "multi_head_attention",
  "prelu", "relu", "sequential", "sigmoid", "silu", "softmax", "softplus", "squeeze_excite", "summary", "tanh",
  "upsample",
})
