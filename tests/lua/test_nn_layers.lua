-- test_nn_layers.lua: layers of nn: norms, activations, pooling, resampling, transposed and dilated convolutions,
-- attention; and clones of modules.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local nn, ops = icl.nn, icl.ops

local function shape(x)
  return table.concat(x:shape(), " ")
end

local function difference(a, b)
  check.equal(shape(a), shape(b))
  return (a - b):abs():max():item()
end

local function same(x, expected, sizes, tolerance)
  local list = x:reshape(-1):totable()
  check.equal(#list, #expected)
  for i, value in ipairs(expected) do check.near(list[i], value, tolerance or 1e-6) end
  if sizes then check.equal(shape(x), sizes) end
end

check("activations are layers", function()
  local x = icl.tensor { { -1, 0.5 } }
  for _, name in ipairs { "relu", "gelu", "silu", "softplus", "hardswish", "tanh", "sigmoid", "softmax", "leaky_relu",
                          "elu" } do
    check.equal(difference(nn[name]()(x), x[name](x)), 0)
  end
  check.equal(difference(nn.gelu "tanh"(x), x:gelu "tanh"), 0)
  same(nn.leaky_relu(0.5)(x), { -0.5, 0.5 })
  same(nn.elu(2)(x), { 2 * (math.exp(-1) - 1), 0.5 })
  same(nn.softmax(1)(x), { 1, 1 })
  check.equal(nn.identity()(x), x)
  check.equal(tostring(nn.sequential { nn.leaky_relu(0.5) }):find("leaky_relu 0.5", 1, true) ~= nil, true)
  check.raises(function() nn.gelu "exact" end, "nn.gelu: approximate is exact; it must be one of none, tanh")
  check.raises(function() nn.elu "x" end, "nn.elu: alpha is 'x'; it must be a finite number")
  check.raises(function() nn.silu(1) end, "nn.silu: 1 is an argument too many; it takes no arguments")
  check.raises(function() nn.silu()(5) end, "silu: its input is 5; it must be a tensor")
end)

-- Mean and biased variance of a list.
local function moments(list)
  local mean, variance = 0, 0
  for _, value in ipairs(list) do mean = mean + value / #list end
  for _, value in ipairs(list) do variance = variance + (value - mean) ^ 2 / #list end
  return mean, variance
end

check("layer norm", function()
  local norm = nn.layer_norm(4)
  local x = icl.tensor { { 1, 2, 3, 6 }, { 0, 0, 0, 4 } }
  norm.weight:set { 1, 2, 1, 1 }
  norm.bias:set { 0, 0, 0, 5 }
  local a, b = math.sqrt(3.5 + 1e-5), math.sqrt(3 + 1e-5)
  same(norm(x), { -2 / a, -2 / a, 0, 3 / a + 5, -1 / b, -2 / b, -1 / b, 3 / b + 5 })
  check.equal(#nn.layer_norm(4, { affine = false }):parameters(), 0)
  check.equal(norm(x:cast "bf16"):dtype(), "bf16")
  check.raises(function() nn.layer_norm(0) end, "nn.layer_norm: channels is 0")
end)

check("group norm and instance norm", function()
  local x = icl.random.normal { 2, 3, 2, 6 } * 3 + 1
  local y, values, group = nn.group_norm(3, 6)(x):totable(), x:totable(), {}
  for i = 1, 3 do
    for j = 1, 2 do
      for c = 3, 4 do group[#group + 1] = values[2][i][j][c] end
    end
  end
  local mean, variance = moments(group)
  check.near(y[2][3][1][4], (values[2][3][1][4] - mean) / math.sqrt(variance + 1e-5), 1e-5)
  check.equal(#nn.group_norm(3, 6):parameters(), 2)
  check.equal(#nn.instance_norm(6):parameters(), 0)
  check.near(difference(nn.instance_norm(6)(x), nn.group_norm(6, 6)(x)), 0, 1e-6)
  check.equal(nn.group_norm(3, 6)(x:cast "bf16"):dtype(), "bf16")
  check.raises(function() nn.group_norm(4, 6) end, "nn.group_norm: 4 groups do not divide 6 channels")
  check.raises(function() nn.group_norm(4, 8)(x) end, "group_norm: its input is %(2, 3, 2, 6%); it must be")
  local z = icl.tensor({ { { { 1, 2, -1, 0.5 }, { 0.1, 1, 2, 3 } } } }, { dtype = "f64" })
  local norm = nn.group_norm(2, 4, { affine = false })
  check.near(icl.gradcheck(function(v) return norm(v) ^ 3 end, { z }), 0, 1e-5)
end)

check("whole channels and whole images are dropped", function()
  local x = icl.ones { 64, 3, 3, 8 }
  local function kinds(y, axes)
    local low, high = y:min(axes), y:max(axes)
    check.equal(difference(low, high), 0)
    local zero = low:eq(0):cast "f32":mean():item()
    local kept = high:max():item()
    return zero, kept
  end
  local zero, kept = kinds(nn.dropout2d(0.25)(x), { 2, 3 })
  check.near(zero, 0.25, 0.1)
  check.near(kept, 4 / 3, 1e-6)
  zero, kept = kinds(nn.drop_path(0.5)(x), { 2, 3, 4 })
  check.near(zero, 0.5, 0.25)
  check.equal(kept, 2)
  check.equal(nn.drop_path(0.5):eval()(x), x)
  check.raises(function() nn.drop_path(1) end, "nn.drop_path: p is 1; it must be a number from 0 to below 1")
  check.raises(function() nn.dropout2d() end, "nn.dropout2d: p is nil")
end)

check("embedding", function()
  local layer = nn.embedding(5, 3)
  local index = icl.tensor({ { 4, 0 }, { 4, 1 } }, { dtype = "i64" })
  local y = layer(index)
  check.equal(shape(y), "2 2 3")
  check.equal(difference(y[2][1], layer.weight[5]), 0)
  icl.step(function()
    layer(index):sum():backward()
    same(layer.weight.grad:sum(2), { 3, 3, 0, 0, 6 })
  end)
  local beyond = icl.tensor({ { 4, 0 }, { 5, 1 } }, { dtype = "i64" })
  for _, where in ipairs { beyond, icl.state(beyond) } do
    local function rows() return layer(where) end
    check.raises(rows, "index 5 at position 2 must be from 0 to 4")
    check.raises(function() icl.step(rows) end, "index 5 at position 2 must be from 0 to 4")
  end
end)

check("adaptive pooling", function()
  local x = icl.arange(16):reshape(1, 4, 4, 1):float()
  same(nn.adaptive_avg_pool2d(2)(x), { 2.5, 4.5, 10.5, 12.5 }, "1 2 2 1")
  same(nn.adaptive_avg_pool2d { 1, 3 }(x), { 6.5, 7.5, 8.5 }, "1 1 3 1")
  same(nn.adaptive_avg_pool2d(8)(x):narrow(2, 1, 1), { 0, 0, 1, 1, 2, 2, 3, 3 }, "1 1 8 1")
  local y = icl.random.normal { 2, 7, 5, 3 }
  check.equal(shape(nn.adaptive_avg_pool2d { 3, 2 }(y)), "2 3 2 3")
  check.near(difference(nn.adaptive_avg_pool2d { 3, 2 }(y):narrow(2, 2, 1):narrow(3, 1, 1):reshape(2, 3),
    y:narrow(2, 3, 3):narrow(3, 1, 3):mean { 2, 3 }), 0, 1e-6)
end)

check("upsampling", function()
  local x = icl.tensor { { { { 1 }, { 3 } }, { { 5 }, { 9 } } } }
  same(nn.upsample { scale = 2 }(x), { 1, 1, 3, 3, 1, 1, 3, 3, 5, 5, 9, 9, 5, 5, 9, 9 }, "1 4 4 1")
  same(nn.upsample { size = { 2, 3 } }(x), { 1, 1, 3, 5, 5, 9 }, "1 2 3 1")
  same(nn.upsample { scale = { 1, 2 }, mode = "bilinear" }(x), { 1, 1.5, 2.5, 3, 5, 6, 8, 9 }, "1 2 4 1")
  same(nn.upsample { size = 3, mode = "bilinear", align_corners = true }(x), { 1, 2, 3, 3, 4.5, 6, 5, 7, 9 }, "1 3 3 1")
  local y = icl.random.normal { 2, 3, 4, 5 }
  check.equal(shape(nn.upsample { scale = 2, mode = "bilinear" }(y)), "2 6 8 5")
  check.near(difference(nn.upsample { size = { 3, 4 }, mode = "bilinear" }(y), y), 0, 1e-6)
  check.raises(function() nn.upsample { scale = 2, size = 4 } end, "it takes scale = or size =, one of both")
  check.raises(function() nn.upsample { scale = 2, align_corners = true } end, "means nothing without")
end)

check("transposed convolution", function()
  local layer = nn.conv_transpose2d(1, 1, 2, { stride = 2 })
  layer.weight:set { { { { 1 } }, { { 2 } } }, { { { 3 } }, { { 4 } } } }
  same(layer(icl.tensor { { { { 1 }, { 10 } } } }), { 1, 2, 10, 20, 3, 4, 30, 40 }, "1 2 4 1")
  local wide = nn.conv_transpose2d(6, 4, 3, { stride = 2, padding = 1, output_padding = 1, groups = 2, bias = true })
  check.equal(shape(wide(icl.ones { 2, 5, 4, 6 })), "2 10 8 4")
  check.equal(shape(icl.weights.state_dict(wide)[1].tensor), "6 2 3 3")
  check.equal(nn.summary.macs(wide, { 5, 4, 6 }), 5 * 4 * 3 * 3 * 2 * 6)
  -- It is the gradient of a convolution by its input.
  local conv, x = nn.conv2d(4, 6, 3, { stride = 2, padding = 1, groups = 2 }), icl.zeros { 2, 9, 7, 4 }:requires_grad()
  local g = icl.random.normal { 2, 5, 4, 6 }
  local gradient = icl.grad((conv(x) * g):sum(), { x })[1]
  local transposed = nn.conv_transpose2d(6, 4, 3, { stride = 2, padding = 1, groups = 2 })
  transposed.weight:write(conv.weight:read())
  check.near(difference(transposed(g), gradient), 0, 1e-5)
  check.raises(function() nn.conv_transpose2d(6, 4, 3, { groups = 4 }) end, "4 groups do not divide 6 input and 4")
end)

check("dilation", function()
  local conv = nn.conv2d(3, 4, 3, { dilation = 2 })
  local x = icl.random.normal { 2, 9, 8, 3 }
  local y = conv(x)
  check.equal(shape(y), "2 9 8 4")
  local wide, expected = x:pad { low = { 0, 2, 2, 0 }, high = { 0, 2, 2, 0 } }, icl.zeros { 2, 9, 8, 4 }
  for a = 1, 3 do
    for b = 1, 3 do
      expected = expected + wide:narrow(2, 2 * a - 1, 9):narrow(3, 2 * b - 1, 8):linear(conv.weight[a][b])
    end
  end
  check.near(difference(y, expected), 0, 1e-5)
  check.equal(shape(nn.conv2d(3, 4, 3, { dilation = { 1, 3 }, padding = 0 })(x)), "2 7 2 4")
  check.equal(nn.conv2d(3, 4, 3).dilation, nil)
  check.raises(function() nn.conv2d(3, 4, 3, { dilation = 0 }) end, "nn.conv2d: dilation is 0")
end)

check("borders of convolutions", function()
  local x = icl.arange(12):reshape(1, 3, 4, 1):float() + 1
  local function widened(mode)
    local conv = nn.conv2d(1, 1, 1, { padding = { 1, 2 }, padding_mode = mode })
    conv.weight:set(1)
    local y = conv(x)
    check.equal(shape(y), "1 5 8 1")
    return y
  end
  same(widened "reflect"[1][1], { 7, 6, 5, 6, 7, 8, 7, 6 })
  same(widened "reflect"[1][5], { 7, 6, 5, 6, 7, 8, 7, 6 })
  same(widened "replicate"[1][1], { 1, 1, 1, 2, 3, 4, 4, 4 })
  same(widened "circular"[1][1], { 11, 12, 9, 10, 11, 12, 9, 10 })
  same(widened "zeros"[1][1], { 0, 0, 0, 0, 0, 0, 0, 0 })
  check.equal(shape(nn.conv2d(1, 2, 3, { padding_mode = "circular" })(x)), "1 3 4 2")
  check.raises(function() nn.conv2d(1, 1, 9, { padding_mode = "reflect" })(x) end,
    'conv2d: padding_mode "reflect" can take 2 of 3 pixels at most, not 4')
  check.raises(function() nn.conv2d(1, 1, 3, { padding_mode = "mirror" }) end, "nn.conv2d: padding_mode is mirror")
end)

check("learned slopes", function()
  local layer = nn.prelu(2)
  same(layer(icl.tensor { { -4, -4 }, { 1, 2 } }), { -1, -1, 1, 2 })
  check.equal(nn.prelu():count(), 1)
  check.equal(layer(icl.ones { 1, 2 }:cast "bf16"):dtype(), "bf16")
  icl.step(function()
    layer(icl.tensor { { -4, 3 }, { 1, -2 } }):sum():backward()
    same(layer.weight.grad, { -4, -2 })
  end)
  check.raises(function() layer(icl.ones { 2, 3 }) end, "prelu: its input is %(2, 3%); it must be %(..., 2%)")
end)

check("attention", function()
  local attention = nn.multi_head_attention(6, 2)
  local x = icl.random.normal { 3, 4, 6 }
  local y = attention(x)
  check.equal(shape(y), "3 4 6")
  local qkv = attention.qkv(x[2])  -- (4, 18)
  local heads = {}
  for head = 1, 2 do
    local function part(i) return qkv:narrow(2, i * 6 + (head - 1) * 3 + 1, 3) end
    local weights = (part(0):matmul(part(1), { transpose_b = true }) / math.sqrt(3)):softmax()
    heads[head] = weights:matmul(part(2))
  end
  check.near(difference(y[2], attention.proj(icl.concat(heads, 2))), 0, 1e-5)
  local causal = icl.tensor { { false, true, true, true }, { false, false, true, true }, { false, false, false, true },
                              { false, false, false, false } }
  local masked = attention(x, causal)
  check.near(difference(masked[1][1], attention(x:narrow(2, 1, 1))[1][1]), 0, 1e-5)
  local wide = causal:reshape(1, 1, 4, 4):expand(3, 2, 4, 4)
  check.equal(difference(attention(x, wide), masked), 0)
  for _, mask in ipairs { causal:cast "f32", causal:reshape(1, 4, 4), causal:narrow(1, 1, 3), wide:narrow(1, 1, 2) } do
    check.raises(function() attention(x, mask) end, "it must be bool")
  end
  check.raises(function() attention(x, 1) end, "multi_head_attention: its mask is 1")
  check.raises(function() nn.multi_head_attention(6, 4) end, "4 heads do not divide a width of 6")
  check.equal(table.concat(attention(icl.zeros { 0, 5, 6 }):shape(), " "), "0 5 6")  -- an empty batch
end)

check("a step trains them all, image by image too", function()
  local model = nn.sequential {
    nn.conv2d(3, 8, 3, { dilation = 2 }), nn.group_norm(4, 8), nn.gelu(), nn.dropout2d(0.1),
    nn.conv_transpose2d(8, 8, 2, { stride = 2 }), nn.instance_norm(8), nn.silu(),
    nn.upsample { scale = 2, mode = "bilinear" }, nn.adaptive_avg_pool2d(3), nn.drop_path(0.1), nn.layer_norm(8),
    nn.leaky_relu(0.1),
    function(x) return x:reshape(x:size(1), 9, 8) end, nn.multi_head_attention(8, 2), function(x) return x:mean(2) end,
    nn.linear(8, 4),
  }
  local optimizer = icl.optim.sgd(model, { momentum = 0.9 })
  local x, target = icl.random.normal { 8, 6, 6, 3 }, icl.tensor({ 0, 1, 2, 3, 0, 1, 2, 3 }, { dtype = "i64" })
  local losses, plans = {}, nil
  for i = 1, 30 do
    losses[i] = icl.step(function()
      local loss = icl.loss.cross_entropy(model(x), target)
      loss:backward()
      optimizer:step(0.05)
      return loss
    end):item()
    plans = i <= 2 and icl.statistics().plans_made or plans
  end
  check.equal(losses[30] < 0.9 * losses[1], true)
  check.equal(icl.statistics().plans_made, plans)
end)

check("layers take bf16", function()
  local x = icl.random.normal { 2, 4, 4, 8 }
  for _, layer in ipairs {
    nn.conv2d(8, 8, 3, { dilation = 2, bias = true }), nn.conv_transpose2d(8, 8, 2), nn.layer_norm(8),
    nn.group_norm(2, 8), nn.instance_norm(8), nn.upsample { scale = 2 }, nn.upsample { scale = 2, mode = "bilinear" },
    nn.adaptive_avg_pool2d(3), nn.gelu(), nn.elu(), nn.leaky_relu(), nn.drop_path(0), nn.dropout2d(0.5):eval(),
  } do
    local y = layer(x:cast "bf16")
    check.equal(y:dtype(), "bf16")
    check.near(difference(y:float(), layer(x)), 0, 0.1)
  end
  local rows = x:reshape(2, 16, 8)
  local attention = nn.multi_head_attention(8, 2)
  check.near(difference(attention(rows:cast "bf16"):float(), attention(rows)), 0, 0.1)
  check.near(difference(rows:cast "bf16":bmm(rows:transpose():cast "bf16"):float(), rows:bmm(rows:transpose())), 0, 0.2)
end)

check("weights may have 16 bits", function()
  local x = icl.random.normal { 2, 4, 4, 8 }
  for _, layer in ipairs {
    nn.conv2d(8, 8, 3, { dilation = 2, bias = true, padding_mode = "reflect" }), nn.conv_transpose2d(8, 8, 2),
    nn.layer_norm(8), nn.group_norm(2, 8), nn.instance_norm(8, { affine = true }), nn.prelu(8),
  } do
    local expected = layer(x)
    for _, dtype in ipairs { "bf16", "f16" } do
      check.near(difference(layer:to(dtype)(x):float(), expected), 0, 0.1)
      check.near(difference(layer(x:cast(dtype)):float(), expected), 0, 0.1)
    end
  end
  local attention, rows = nn.multi_head_attention(8, 2), x:reshape(2, 16, 8)
  local expected = attention(rows)
  check.near(difference(attention:to "f16"(rows):float(), expected), 0, 0.1)
  check.equal(nn.embedding(3, 2):to "bf16"(icl.arange(3)):dtype(), "bf16")
  check.equal(nn.linear(2, 2):to("f16"):clone().weight:dtype(), "f16")
end)

check("inputs of other shapes", function()
  local function refused(pattern, layer, ...)
    local x = icl.ones { ... }
    check.raises(function() layer(x) end, pattern)
  end
  refused("layer_norm: its input is %(2, 3%); it must be %(..., 4%)", nn.layer_norm(4), 2, 3)
  refused("layer_norm: its input is %(%)", nn.layer_norm(4))
  refused("group_norm: its input is %(2, 8%); it must be %(n, ..., 4%)", nn.group_norm(2, 4), 2, 8)
  refused("instance_norm: its input is %(2, 8%)", nn.instance_norm(4), 2, 8)
  refused("multi_head_attention: its input is %(2, 4%); it must be %(n, positions, 4%)",
    nn.multi_head_attention(4, 2), 2, 4)
  refused("multi_head_attention: its input is %(2, 3, 6%)", nn.multi_head_attention(4, 2), 2, 3, 6)
  refused("upsample: its input is %(2, 3%); it must be %(n, h, w, c%)", nn.upsample { scale = 2 }, 2, 3)
  refused("adaptive_avg_pool2d: its input is %(2, 3%)", nn.adaptive_avg_pool2d(2), 2, 3)
  refused("instance_norm: its input is %(2, 4%), of which each group has one number", nn.instance_norm(4), 2, 4)
  refused("group_norm: its input is %(2, 1, 1, 4%), of which each group", nn.group_norm(4, 4), 2, 1, 1, 4)
  refused("a padding of 1 leaves nothing of 2 pixels", nn.conv_transpose2d(1, 1, 1, { padding = 1 }), 1, 2, 2, 1)
  refused("%(in layer 0%)", nn.sequential { nn.layer_norm(4) }, 2, 3)
  check.raises(function() nn.conv_transpose2d(1, 1, 3, { output_padding = 1 }) end,
    "output_padding is 1; it must be less than the stride, 1")
end)

check("files describe them for any number of images", function()
  local model = nn.sequential {
    nn.conv2d(3, 8, 3, { dilation = 2 }), nn.group_norm(2, 8), nn.gelu(), nn.upsample { scale = 2, mode = "bilinear" },
    nn.conv_transpose2d(8, 8, 2, { stride = 2 }), nn.adaptive_avg_pool2d(3), nn.drop_path(0.5), nn.layer_norm(8),
    function(x) return x:flip(3):reshape(x:size(1), -1, 8) end, nn.multi_head_attention(8, 2),
    function(x) return x:select(2, -1) end, nn.linear(8, 4),
  }
  local path, shape = os.tmpname(), { 6, 5, 3 }
  icl.network.save(model, path, { data = { name = "own", shape = shape } })
  local described = icl.network.open(path)
  os.remove(path)
  model:eval()
  for _, count in ipairs { 1, 3, 7 } do
    local x = icl.random.normal { count, table.unpack(shape) }
    check.near(difference(described(x), model(x)), 0, 1e-5)
  end
end)

check("a clone has states of its own", function()
  local model = nn.sequential { { "conv", nn.conv2d(1, 2, 3) }, { "bn", nn.batch_norm(2) }, nn.relu(), nn.flatten(),
                                { "head", nn.linear(8, 2) }, function(x) return 2 * x end }
  model.conv:freeze()
  model.bn.running_mean:set { 3, 4 }
  model.bn:eval()
  local copy = model:clone()
  local x = icl.random.normal { 2, 2, 2, 1 }
  check.equal(difference(copy(x), model(x)), 0)
  local own, other = model:named_states(), copy:named_states()
  check.equal(#own, #other)
  for i, entry in ipairs(own) do
    check.equal(other[i].name, entry.name)
    check.equal(other[i].state.name, entry.name)
    check.equal(other[i].state ~= entry.state, true)
    check.equal(other[i].state.trainable, entry.state.trainable)
  end
  check.equal(#copy:named_parameters(), #model:named_parameters())
  check.equal(copy.bn.training, false)
  check.equal(copy.head.training, true)
  copy.head.weight:write(copy.head.weight * 0)
  check.equal(model.head.weight:abs():max():item() > 0, true)
  copy[1] = nn.relu()
  check.equal(model[1].class_name, "conv2d")
  local Shared = nn.layer "shared"
  function Shared:init()
    self.a, self.list = nn.linear(2, 2), nn.list { nn.linear(2, 2), nn.relu() }
    self.b, self.above, self.sizes = self.a, { self }, { 1, { 2 } }
  end
  local shared = Shared()
  local twin = shared:clone()
  check.equal(twin.a, twin.b)
  check.equal(twin.a ~= shared.a, true)
  check.equal(twin.above[1], twin)
  check.equal(twin.sizes[2][1], 2)
  check.equal(#twin.list, 2)
  check.equal(twin.list[1].weight.name, "list.0.weight")
  check.raises(function() shared:clone(1) end, "clone: 1 is an argument too many")
end)

check("a field does not hide a method", function()
  local Own = nn.layer "own"
  function Own:init() self.count = 3 end
  check.raises(Own, "own: count is a method of modules and cannot be the name of a field")
  local relu = nn.relu()
  relu.forward = function(_, x) return x end
  relu.forward = nil
  check.equal(relu(icl.tensor { -1 }):item(), 0)
end)

check("images whose channels come first are told from others", function()
  local conv = nn.conv2d(4, 6, 3, { groups = 2 })
  check.raises(function() conv(icl.zeros { 2, 4, 9, 7 }) end,
    "conv2d: its input is %(2, 4, 9, 7%); it must be %(n, h, w, c%), and x:permute%(1, 3, 4, 2%) makes that of")
  check.raises(function() conv(icl.zeros { 2, 9, 7, 3 }) end, "x has 3 channels, but w takes 4")
end)

check("what modules have in PyTorch is an error that says what does the same", function()
  local model = icl.nn.sequential { icl.nn.linear(1, 1) }
  for name, pattern in pairs {
    zero_grad = "gradients are used up by optimizer:step%(%)", state_dict = "icl.weights.state_dict%(model%)",
    modules = "model:named_modules%(%)", register_forward_hook = "a module may have a forward of its own",
    cuda = "icl %-%-device cuda FILE.lua", register_buffer = "model:buffer%(name, value%)",
  } do
    check.raises(function() model[name](model) end, ("module: there is no '%s': %s"):format(name, pattern))
  end
  check.raises(function() model:to "cuda" end, "to: it takes a dtype, not the device 'cuda': icl %-%-device cuda")
  check.raises(function() icl.tensor { 1 }:to "cpu" end, "to: it takes a dtype, not the device 'cpu'")
  check.equal(model.anything, nil)
  local Own = icl.nn.layer "own"
  function Own:init() self.modules = icl.nn.list { icl.nn.relu() } end
  check.equal(#Own().modules, 1)
  local Derived = icl.nn.layer("derived", Own)
  function Derived:state_dict() return 1 end
  check.equal(Derived():state_dict(), 1)
  check.raises(function() Derived().state_dict = 2 end, "derived: state_dict is a method of modules")
end)

check.close()
