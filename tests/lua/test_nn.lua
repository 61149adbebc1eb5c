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

check("columns of a printed model are counted in characters, however many", function()
  local long = ("\u{e4}"):rep(120)
  local lines = {}
  local text = tostring(nn.sequential { { "a", nn.linear(2, 3) }, { long, nn.linear(3, 4) } })
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  check.equal(lines[4]:find(long .. ": linear 3 -> 4 ", 1, true) ~= nil, true)
  local width = utf8.len(lines[4])
  check.equal(width > 120, true)
  check.equal(utf8.len(lines[3]), width)
end)

check("multiply-accumulates count positions, and calls", function()
  local Positions = nn.layer "positions"
  function Positions:init() self.fc = nn.linear(4, 2) end
  function Positions:forward(x) return self.fc(self.fc(x:reshape(-1, 50, 4)):reshape(-1, 4)) end
  check.equal(nn.summary.macs(Positions(), { 5, 10, 4 }), 50 * 8 + 25 * 8)
  check.equal(nn.summary.list(nn.linear(4, 2), { 50, 4 })[1].macs, 50 * 8)
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
  check.raises(function() nn.conv2d(3, 8, 0) end, "nn.conv2d: kernel is 0; it must be an integer from 1")
  check.raises(function() nn.conv2d(3, 8) end, "nn.conv2d: kernel is nil")
  check.raises(function() nn.conv2d(3, 8, { 3 }) end, "kernel is a list of 1; it must be an integer or { height")
  check.raises(function() nn.conv2d(3, 8, { 3, 3, stride = 2 }) end, "kernel: it is a list, and has no place for the key")
  check.raises(function() nn.max_pool2d { 2, nil, 2 } end, "kernel: it is a list with holes")
  check.raises(function() nn.conv2d(3, 8, 3, { stride = 0 }) end, "nn.conv2d: stride is 0")
  check.raises(function() nn.conv2d(3, 8, 3, { padding = -1 }) end, "nn.conv2d: padding is %-1")
  check.raises(function() nn.conv2d(3, 8, 3, { groups = 0 }) end, "nn.conv2d: groups is 0")
  check.raises(function() nn.conv2d(1 << 24, 1 << 24, 1 << 15) end, "more than 2%^40 elements")
  check.raises(function() nn.conv2d(3, 1 << 31, 3) end, "output channels is 2147483648; it must be an integer from 1")
  check.raises(function() nn.conv2d(5, 6, 3)(x) end, ".")
end)

check("constructors check what they are given", function()
  local function refused(pattern, f, ...)
    local given = table.pack(...)
    check.raises(function() f(table.unpack(given, 1, given.n)) end, pattern)
  end
  refused("nn.linear: inputs is nil", nn.linear)
  refused("nn.linear: outputs is 0", nn.linear, 3, 0)
  refused("nn.linear: true is an argument too many", nn.linear, 3, 4, {}, true)
  refused("nn.batch_norm: channels is 0.5", nn.batch_norm, 0.5)
  refused("nn.batch_norm: eps is %-1", nn.batch_norm, 3, { eps = -1 })
  refused("nn.max_pool2d: kernel is 0", nn.max_pool2d, 0)
  refused("nn.max_pool2d: kernel is nil", nn.max_pool2d)
  refused("nn.max_pool2d: it takes a kernel and a table: nn.max_pool2d%(3, { stride = 2, padding = 1 }%), not 2",
    nn.max_pool2d, 3, 2, 1)
  refused("nn.avg_pool2d: there is no option 'kernel_size'; there are kernel, stride, padding", nn.avg_pool2d,
    { kernel_size = 2 })
  refused("nn.max_pool2d: a table is an argument too many", nn.max_pool2d, { kernel = 2 }, { stride = 1 })
  refused("nn.avg_pool2d: stride is 0", nn.avg_pool2d, 2, { stride = 0 })
  refused("nn.avg_pool2d: padding is 'a'", nn.avg_pool2d, 2, { padding = "a" })
  refused("nn.dropout: p is nil", nn.dropout)
  refused("nn.squeeze_excite: reduction is 0", nn.squeeze_excite, 4, { reduction = 0 })
  refused("nn.relu: a tensor is an argument too many; it takes no arguments", nn.relu, icl.zeros { 1 })
  refused("nn.flatten: 1 is an argument too many", nn.flatten, 1)
  refused("nn.global_avg_pool: 7 is an argument too many", nn.global_avg_pool, 7)
  refused("nn.layer: the name is nil", nn.layer)
  refused("nn.layer: the base is a linear", nn.layer, "mine", nn.linear(1, 1))
  refused("nn.summary.macs: it takes a module, not nil", nn.summary.macs)
end)

check("methods say their own names", function()
  local net = nn.linear(2, 2)
  check.raises(function() net:save() end, "save: a path is needed")
  check.raises(function() net:save {} end, "save: a path is needed, not a table")
  check.raises(function() net:load() end, "load: a path is needed")
  check.raises(function() net:apply() end, "apply: it takes a function")
  check.raises(function() net:buffer() end, "buffer: it takes a name and a first value, not nil")
  check.raises(function() net:parameter "w" end, "parameter: w needs a first value")
end)

check("sequential takes layers, names and functions", function()
  local fc, act = nn.linear(2, 3), nn.relu()
  local x = icl.tensor { { 1, -2 } }
  local expected = act(fc(x)):sum():item()
  for _, net in ipairs { nn.sequential { fc, act }, nn.sequential(fc, act), nn.sequential({ "fc", fc }, { "act", act }),
                         nn.sequential(fc, icl.ops.relu), nn.sequential { fc, function(y) return y:relu() end } } do
    check.equal(net(x):sum():item(), expected)
    check.equal(#net, 2)
    check.equal(net[1], fc)
  end
  check.equal(names(nn.sequential { fc, icl.ops.relu, nn.linear(3, 1) }:named_parameters()),
    "0.weight 0.bias 2.weight 2.bias")
  check.equal(nn.sequential()(5), 5)
  local function refused(pattern, ...)
    local given = table.pack(...)
    check.raises(function() nn.sequential(table.unpack(given, 1, given.n)) end, pattern)
  end
  refused("nn.sequential: entry 2 is 5; it must be a module, a function or", { fc, 5 })
  refused("entry 2 is the class relu; call it to make a layer: nn.relu", fc, nn.relu)
  refused("entry 1 is nil", { { "fc" } })
  refused('fc = ... has no place in the order; write { "fc", module }', { fc = fc })
  refused("3 = ... has no place", { fc, [3] = act })
  check.raises(function() nn.sequential():append(act, 5) end, "append: it takes a module and its name, a text, not 5")
  refused("there is such a field already", { "a", fc }, { "a", act })
  refused("there is such a field already", { "forward", fc })
end)

check("table.remove and table.insert know lists", function()
  local list = nn.list { nn.linear(1, 1), nn.linear(2, 2), nn.linear(3, 3) }
  local first, second, third = list[1], list[2], list[3]
  check.equal(table.remove(list, 1), first)
  check.equal(#list, 2)
  check.equal(list[1] == second and list[2] == third and list[3] == nil, true)
  local names = {}
  for i, entry in ipairs(list:named_parameters()) do names[i] = entry.name end
  check.equal(table.concat(names, " "), "0.weight 0.bias 1.weight 1.bias")
  check.equal(list:parameters()[1], second.weight)
  check.equal(table.remove(list), third)
  table.insert(list, 1, third)
  check.equal(list[1] == third and list[2] == second and #list == 2, true)
  check.raises(function() list[1] = nil end, "nn.list: entry 1 cannot be nil; table.remove%(list, 1%) takes it out")
  list = nn.list { { "1", first } }
  check.raises(function() list[2] = second end, "entry 2 cannot be called 1; there is such a field already")
  check.raises(function() list["1"] = nil end, "nn.list: entry 1 cannot be nil; table.remove%(list, i%) takes out")
  check.equal(#list == 1 and list[1] == first, true)
  list = nn.list { first, { "a", second } }
  check.equal(table.remove(list, 1), first)
  check.equal(#list == 1 and list[1] == second, true)
  check.equal(list:named_parameters()[1].name, "0.weight")
  check.equal(table.remove(nn.list {}), nil)
  list[2] = nil
  check.equal(#list, 1)
end)

check("lists of layers", function()
  local Many = nn.layer "many"
  function Many:init()
    self.layers = nn.list { nn.linear(2, 2), nn.linear(2, 2) }
    self.layers[3] = nn.linear(2, 1)
    self.layers:append(nn.relu())
  end
  function Many:forward(x)
    for _, layer in ipairs(self.layers) do x = layer(x) end
    return x
  end
  local net = Many()
  check.equal(#net.layers, 4)
  check.equal(names(net:named_parameters()), "layers.0.weight layers.0.bias layers.1.weight layers.1.bias "
    .. "layers.2.weight layers.2.bias")
  check.equal(table.concat(net(icl.ones { 1, 2 }):shape(), " "), "1 1")
  local other = nn.linear(2, 2)
  net.layers[2] = other
  check.equal(net.layers["1"], other)
  check.equal(other.weight.name, "layers.1.weight")
  net.layers["1"] = nn.linear(2, 2)
  check.equal(net.layers[2] ~= other, true)
  check.equal(net.layers[9], nil)
  check.equal(net.layers[-1], net.layers[4])
  net.layers[-1] = nn.sequential()
  check.equal(net.layers[4].class_name, "sequential")
  check.equal(net.layers[-5], nil)
  check.raises(function() net.layers[6] = other end, "nn.list: there is no place 6; it has 4 entries, and 5 appends")
  check.raises(function() net.layers[1] = nil end, "nn.list: entry 1 cannot be nil")
  check.raises(function() net.layers(1) end, "list has no forward")
end)

check("a layer says what it is called with, if that is no tensor", function()
  check.raises(function() nn.relu()(3) end, "test_nn.lua:%d+: relu: its input is 3; it must be a tensor$")
  check.raises(function() nn.linear(2, 3)(4) end, "test_nn.lua:%d+: linear: its input is 4")
  check.raises(function() nn.sequential { { "body", nn.sequential { nn.flatten() } } } () end,
    "test_nn.lua:%d+: flatten: its input is nil; it must be a tensor %(in layer body.0%)")
  check.raises(function() icl.models.resnet { depth = 8 } {} end, "test_nn.lua:%d+: resnet: its input is a table")
  local models = {}
  for i, name in ipairs(icl.models.names) do models[i] = icl.models[name] {} end
  models[#models + 1] = nn.sequential { nn.avg_pool2d(2), nn.max_pool2d(2), nn.dropout(0.5), nn.global_avg_pool(),
                                        nn.squeeze_excite(4, { reduction = 2 }), nn.conv2d(1, 1, 1), nn.batch_norm(1) }
  local calls = 0
  for _, model in ipairs(models) do
    for _, entry in ipairs(model:named_modules()) do
      calls = calls + 1
      check.raises(function() entry.module(false) end, "test_nn.lua:%d+: .* is false; it must be a tensor")
    end
  end
  check.equal(calls > 500, true)
end)

check("a tensor in a field is a constant, and cannot ask for a gradient", function()
  local Scale = nn.layer "scale"
  function Scale:init(factor) self.factor = factor end
  function Scale:forward(x)
    self.last = x * self.factor
    return self.last
  end
  check.raises(function() Scale(icl.ones { 2 }:requires_grad()) end,
    "test_nn.lua:%d+: scale: field factor is a tensor with a gradient.*parameter%(name, value%) makes it trained")
  local scale = Scale(icl.ones { 2 })
  check.equal(#scale:named_states(), 0)
  scale.factor = icl.state({ 1, 2 }, { trainable = true })
  scale(icl.ones { 2 })
  icl.step(function() scale(icl.ones { 2 }) end)
  check.equal(#scale:named_states(), 1)
  check.raises(function() scale.copy = scale.factor * 2 end, "field copy is a tensor with a gradient")
  scale.copy = (scale.factor * 2):detach()
end)

check("layers in a plain table are found", function()
  local Hidden = nn.layer "hidden"
  function Hidden:init() self.layers = {} end
  local net = nn.sequential { { "body", Hidden() } }
  check.equal(#net:parameters(), 0)
  net.body.layers[1] = { nn.linear(2, 2) }
  check.raises(function() net:parameters() end, "hidden: field body.layers holds layers or states in a plain table, "
    .. "where they would be neither trained nor saved; make it nn.list")
  net.body.layers = { icl.state { 1 } }
  check.raises(function() net:save(os.tmpname()) end, "body.layers")
  net.body.fc = nn.linear(2, 2)
  net.body.layers = { net.body.fc }
  check.equal(#net:parameters(), 2)
end)

check("buffers are no parameters", function()
  local Counter = nn.layer "counter"
  function Counter:init()
    self:parameter("scale", { 1, 2 })
    self:buffer("seen", 0)
    self.offset = icl.state { 3 }
    self.factor = icl.state({ 4 }, { trainable = true })
  end
  local net = nn.sequential { { "c", Counter() } }
  check.equal(names(net:named_parameters()), "c.scale c.factor")
  check.equal(names(net:named_states()), "c.scale c.seen c.offset c.factor")
  net:freeze(false)
  check.equal(net.c.seen.trainable or net.c.offset.trainable, false)
  net:freeze()
  check.equal(names(net:named_parameters()), "c.scale c.factor")
  local copy = nn.sequential { nn.relu() }
  copy.tied = net.c.scale
  check.equal(#copy:parameters(), 1)
  check.equal(net.c.seen.name, "c.seen")
  check.equal(net.c:buffer("mean", icl.zeros { 2 }):count(), 2)
end)

check("a layer that is replaced has the name of its place", function()
  local net = Net()
  local before = names(net:named_states())
  net.fc, net.body.bn = nn.linear(4, 2), nn.batch_norm(4)
  check.equal(names(net:named_states()), before)
  check.equal(net.body.bn.weight.name, "body.bn.weight")
  check.raises(function() net.fc(icl.ones { 1, 5 }) end, "in layer fc")
  net.fc = false
  check.equal(names(net:named_modules()), " conv body body.bn body.act")
  net.fc = nn.linear(4, 2)
  check.equal(names(net:named_modules()), " conv body body.bn body.act fc")
end)

check("fields that cannot be", function()
  local net = nn.sequential { { "a", nn.sequential { { "b", nn.relu() } } } }
  check.raises(function() net.a.b.up = net end, "relu: field up would put a module below itself")
  check.raises(function() net.self = net end, "field self would put a module below itself")
  local child = net.a
  net.a = false
  child.parent = nn.sequential { { "a", net } }
  check.equal(#child:named_modules(), 4)
  check.raises(function() net.train = nn.relu() end, "train is a method of modules")
  check.raises(function() net["a.b"] = nn.relu() end, "'a.b' cannot be the name of a module or state")
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
  for _, name in ipairs { "max_pool2d", "avg_pool2d" } do
    local all = { kernel = 3, stride = { 2, 1 }, padding = 1 }
    local layer, method = nn[name](all)(x), x[name](x, all)
    check.equal((layer - nn[name](3, { stride = { 2, 1 }, padding = 1 })(x)):abs():max():item(), 0)
    check.equal((layer - method):abs():max():item(), 0)
  end
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

check("to changes the dtype of parameters and buffers", function()
  local model = nn.sequential { nn.conv2d(2, 4, 3, { bias = true }), nn.batch_norm(4), nn.global_avg_pool(),
                                nn.linear(4, 3) }
  local x = icl.random.normal { 5, 4, 4, 2 }
  local before, names = model(x):totable(), {}
  check.equal(model:to "f16", model)
  for _, entry in ipairs(model:named_states()) do
    local integer = entry.key == "num_batches_tracked"
    check.equal(entry.state:dtype(), integer and "i64" or "f16")
    check.equal(entry.state:read():dtype(), entry.state:dtype())
    names[#names + 1] = entry.state.name
  end
  check.equal(names[2], "0.bias")
  local after = model(x:cast "f16")
  check.equal(after:dtype(), "f16")
  for i, row in ipairs(after:totable()) do
    for k, value in ipairs(row) do check.near(value, before[i][k], 5e-3) end
  end
  local optimizer, weight = icl.optim.sgd(model, { gradient_clip = 1 }), model[1].weight:get()[1][1][1][1]
  icl.step(function()
    icl.loss.cross_entropy(model(x:cast "f16"), icl.tensor({ 0, 1, 2, 0, 1 }, { dtype = "i64" })):backward()
    check.equal(model[1].weight.grad:dtype(), "f16")
    optimizer:step(0.5)
  end)
  check.equal(optimizer:named_states()[1].state:dtype(), "f16")
  check.equal(model[2].num_batches_tracked:item(), 3)
  check.equal(model[1].weight:get()[1][1][1][1] ~= weight, true)
  check.equal(model:eval()(x:cast "f16"):dtype(), "f16")
  check.equal(model:to "f32"(x):dtype(), "f32")
end)

check("to takes floats, and no step may be open", function()
  local layer = nn.linear(2, 2)
  check.raises(function() layer:to "i64" end, "to: the dtype")
  check.raises(function() layer.weight:set_dtype "i64" end, "state weight: i64 cannot be trained; choose a float dtype")
  check.raises(function() layer.weight:set_dtype "f17" end, "f17")
  check.raises(function() icl.step(function() layer:to "f16" end) end,
    "state weight cannot change its dtype inside a step")
  check.equal(layer.weight:dtype(), "f32")
  local old = layer.weight:read()
  layer:to "f64"
  check.equal(old:dtype(), "f32")
  check.equal(old:totable()[1][1], layer.weight:get()[1][1])
end)

check("a layer without forward says so", function()
  check.raises(function() nn.layer "empty"()(1) end, "has no forward")
end)

check("a parameter is not replaced by a constant", function()
  local layer = nn.linear(3, 2)
  check.raises(function() layer.weight = icl.ones { 2, 3 } end,
    "linear: field weight is a parameter, and .* cannot take its place: weight:write%(value%)")
  check.raises(function() nn.batch_norm(2).running_mean = 0 end, "running_mean is a buffer, and 0 cannot take its place")
  layer:parameter("weight", icl.ones { 2, 3 })
  check.equal(#layer:named_parameters(), 2)
  layer.weight = nil
  check.equal(#layer:named_parameters(), 1)
end)

check("train takes true or false", function()
  check.raises(function() nn.relu():train(3) end, "relu: train is 3; it must be true or false")
end)

check.close()
