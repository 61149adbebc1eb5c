-- test_nn.lua: modules and layers.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local nn = icl.nn

local function names(list)
  local result = {}
  for i, entry in ipairs(list) do result[i] = entry.name end
  return table.concat(result, " ")
end

local Net = nn.layer "net"

function Net:init()
  self.conv = nn.conv2d(3, 4, 3, { bias = true })
  self.body = nn.sequential { { "bn", nn.batch_norm(4) }, { "act", nn.relu() } }
  self.fc = nn.linear(4, 2)
end

function Net:forward(x)
  return self.fc(self.body(self.conv(x)):global_avg_pool())
end

check("fields register in the order of assignment", function()
  local net = Net()
  check.equal(names(net:named_parameters()), "conv.weight conv.bias body.bn.weight body.bn.bias fc.weight fc.bias")
  check.equal(names(net:named_states()), "conv.weight conv.bias body.bn.weight body.bn.bias body.bn.running_mean "
    .. "body.bn.running_var body.bn.num_batches_tracked fc.weight fc.bias")
  check.equal(names(net:named_modules()), " conv body body.bn body.act fc")
  check.equal(net.body.bn.weight.name, "body.bn.weight")
  check.equal(net:count(), 3 * 3 * 3 * 4 + 4 + 8 + 8 + 2)
  check.equal(names(nn.sequential { nn.linear(1, 2), nn.relu(), nn.linear(2, 1) }:named_parameters()),
    "0.weight 0.bias 2.weight 2.bias")
end)

check("a shared parameter appears once", function()
  local a, b = nn.linear(2, 2), nn.linear(2, 2)
  b.weight = a.weight
  check.equal(#nn.sequential { a, b }:parameters(), 3)
end)

check("modes and freezing go down the tree", function()
  local net = Net()
  net:eval()
  check.equal(net.body.bn.training, false)
  net:train()
  check.equal(net.body.bn.training, true)
  net:freeze()
  check.equal(net.conv.weight.trainable, false)
  net:freeze(false)
  check.equal(net.conv.weight.trainable, true)
  check.equal(net.body.bn.running_mean.trainable, false)
end)

check("a model prints as a tree", function()
  local net = Net()
  net.input = { 8, 8, 3 }
  local text = tostring(net)
  for _, part in ipairs { "net", "conv: conv2d 3 -> 4, 3x3", "(8, 8, 4)", "bn: batch_norm 4", "fc: linear 4 -> 2",
                          "130", "6,920" } do
    if not text:find(part, 1, true) then error(("no '%s' in\n%s"):format(part, text)) end
  end
  check.equal(net.training, true)
  check.equal(nn.summary.macs(net), 8 * 8 * 108 + 8)
end)

check("sizes of convolutions", function()
  local x = icl.ones { 2, 7, 9, 4 }
  local function shape(...) return table.concat(nn.conv2d(...)(x):shape(), " ") end
  check.equal(shape(4, 6, 3), "2 7 9 6")
  check.equal(shape(4, 6, 3, { stride = 2 }), "2 4 5 6")
  check.equal(shape(4, 6, { 1, 3 }, { padding = 0 }), "2 7 7 6")
  check.equal(shape(4, 8, 3, { groups = 4 }), "2 7 9 8")
  check.raises(function() nn.conv2d(4, 6, 3, { groups = 4 }) end, "4 groups do not divide 4 input and 6 output")
  check.raises(function() nn.conv2d(4, 6, 3, { strides = 2 }) end, "did you mean stride")
  check.raises(function() nn.conv2d(0, 6, 3) end, "input channels is 0")
  check.raises(function() nn.conv2d(5, 6, 3)(x) end, ".")
end)

check("first values", function()
  icl.random.seed(3)
  local conv = nn.conv2d(32, 64, 3)
  check.near(conv.weight:read():var():item(), 2 / (64 * 9), 2e-4)
  local other = nn.conv2d(32, 64, 3, { init = "kaiming_fan_in" })
  check.near(other.weight:read():var():item(), 2 / (32 * 9), 4e-4)
  icl.random.seed(3)
  check.equal(nn.conv2d(32, 64, 3).weight:bytes() == conv.weight:bytes(), true)
  check.equal(nn.conv2d(32, 64, 3).weight:bytes() == conv.weight:bytes(), false)
  check.raises(function() nn.linear(1, 1, { init = "kaiming" }) end, "init mode")
end)

check("batch norm in training", function()
  local bn = nn.batch_norm(2)
  local y = icl.step(function() return bn(icl.tensor { { 1, 10 }, { 3, 30 } }) end)
  check.near(y:totable()[1][1], -1, 1e-4)
  check.near(y:totable()[2][2], 1, 1e-4)
  check.near(bn.running_mean:get()[2], 2, 1e-5)
  check.near(bn.running_var:get()[1], 0.9 + 0.1 * 2, 1e-6)
  check.near(bn.running_var:get()[2], 0.9 + 0.1 * 200, 1e-4)
  check.equal(bn.num_batches_tracked:read():item(), 1)
  check.raises(function() bn(icl.ones { 1, 2 }) end, "more than one value per channel")
end)

check("batch norm in evaluation", function()
  local bn = nn.batch_norm(1):eval()
  bn.running_mean:set { 2 }
  bn.running_var:set { 4 }
  local y = bn(icl.tensor { { 4 } })
  check.near(y:item(), 1, 1e-5)
  check.equal(bn.num_batches_tracked:read():item(), 0)
end)

check("dropout", function()
  local drop = nn.dropout(0.5)
  local y = drop(icl.ones { 1000 })
  local sum = 0
  for _, value in ipairs(y:totable()) do
    check.equal(value == 0 or value == 2, true)
    sum = sum + value
  end
  check.near(sum / 1000, 1, 0.15)
  check.equal(drop:eval()(icl.ones { 4 }):sum():item(), 4)
  check.raises(function() nn.dropout(1) end, "from 0 to below 1")
end)

check("pools", function()
  local x = icl.arange(16, "f32"):reshape(1, 4, 4, 1)
  check.equal(nn.max_pool2d(2)(x):sum():item(), 5 + 7 + 13 + 15)
  check.equal(nn.avg_pool2d(2)(x):sum():item(), 30)
  check.equal(nn.global_avg_pool()(x):item(), 7.5)
  check.equal(nn.flatten()(x):size(2), 16)
  check.equal(table.concat(nn.max_pool2d(3, { stride = 2, padding = 1 })(x):shape(), " "), "1 2 2 1")
end)

check("squeeze-excitation", function()
  local se = nn.squeeze_excite(4, { reduction = 2 })
  check.equal(names(se:named_parameters()), "fc1.weight fc1.bias fc2.weight fc2.bias")
  check.equal(se.fc1.bias:count(), 2)
  se.fc2.weight:set(icl.zeros({ 2, 4 }):totable())
  se.fc2.bias:set { 0, math.log(3), -math.log(3), 100 }
  local y = se(icl.full({ 2, 3, 3, 4 }, 8)):totable()[2][3][1]
  check.near(y[1], 4, 1e-5)
  check.near(y[2], 6, 1e-5)
  check.near(y[3], 2, 1e-5)
  check.near(y[4], 8, 1e-5)
  icl.gradcheck(function(x) return se(x:cast "f32"):cast "f64" end, { icl.random.normal { 2, 2, 2, 4 } },
    { step = 1e-2, tolerance = 1e-2 })
  check.raises(function() nn.squeeze_excite(4, { reduction = 5 }) end, "leaves nothing of 4 channels")
end)

check("a layer inherits from another", function()
  local Twice = nn.layer("twice", Net)
  function Twice:forward(x) return Net.forward(self, x) * 2 end
  local net = Twice():eval()
  check.equal(net.class_name, "twice")
  local x = icl.ones { 1, 4, 4, 3 }
  check.near(net(x):totable()[1][1], 2 * Net.forward(net, x):totable()[1][1], 1e-6)
end)

check("an error leaves the layer path", function()
  local net = Net()
  check.raises(function() net(icl.ones { 1, 4, 4, 5 }) end, ".")
  check.equal(require "icl.internal.scope".path(), "")
end)

check("a layer without forward says so", function()
  check.raises(function() nn.layer "empty"()(1) end, "has no forward")
end)

check.close()
