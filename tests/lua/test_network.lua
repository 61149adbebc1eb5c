-- Networks in files: what is written down computes what the model computes.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local core = require "icl.core"
local json = require "icl.json"
local nn, network = icl.nn, icl.network

local path = os.tmpname()

-- The first logit or image that differs in a bit is an error.
local function check_same(a, b)
  check.equal(table.concat(a:shape(), " "), table.concat(b:shape(), " "))
  check.equal(a:ne(b):sum():item(), 0)
end

-- Statistics and weights that are not those of the beginning, so that each of them matters.
local function stir(model)
  for _, entry in ipairs(model:named_states()) do
    local state = entry.state
    if entry.key == "running_var" then
      state:write(icl.random.uniform(state:shape()) + 0.5)
    elseif state:dtype() == "f32" and state:rank() == 1 then
      state:write(state + 0.3 * icl.random.normal(state:shape()))
    end
  end
end

-- The logits of a model, in evaluation mode, of images like those it takes.
local function evaluate(model, x)
  model:eval()
  return icl.step(function() return model(x) end)
end

local function images_for(shape, count)
  return icl.random.normal { count, table.unpack(shape) }
end

-- Saves a model, opens it, and compares what both make of a few images; -> what was opened.
local function round_trip(model, shape, info)
  info = info or {}
  info.shape = shape
  network.save(model, path, info)
  local opened, x = network.open(path), images_for(shape, 5)
  check_same(opened(x), evaluate(model, x))
  return opened
end

local families = {
  { "resnet", { depth = 20 } },
  { "resnet", { depth = 29, block_type = "bottleneck" } },
  { "resnet_preact", { depth = 20 } },
  { "resnet_preact", { depth = 20, remove_first_relu = true, add_last_bn = true } },
  { "se_resnet_preact", { depth = 20 } },
  { "wrn", { depth = 16, widening_factor = 2, drop_rate = 0.3 } },
  { "densenet", { depth = 22, growth_rate = 4, drop_rate = 0.2 } },
  { "densenet", { depth = 22, growth_rate = 4, block_type = "basic", compression_rate = 1 } },
  { "pyramidnet", { depth = 20, block_type = "basic", alpha = 12 } },
  { "resnext", { depth = 29, initial_channels = 16, cardinality = 2, base_channels = 4 } },
  { "shake_shake", { depth = 26, base_channels = 4, initial_channels = 4 } },
  { "vgg", { depth = 11, n_channels = { 4, 8, 8, 8, 8 } } },
  { "resnet", { type = "imagenet", depth = 18, input = { 64, 64, 3 }, classes = 7 } },
  { "resnet_preact", { type = "imagenet", depth = 18, input = { 64, 48, 1 }, classes = 7 } },
  { "densenet", { type = "imagenet", n_blocks = { 2, 2, 2, 2 }, growth_rate = 4, input = { 64, 64, 3 }, classes = 7 } },
  { "pyramidnet", { type = "imagenet", n_blocks = { 1, 1, 1, 1 }, alpha = 8, input = { 64, 64, 3 }, classes = 7 } },
  { "resnext", { type = "imagenet", n_blocks = { 1, 1, 1, 1 }, cardinality = 2, input = { 64, 64, 3 }, classes = 7 } },
}

local tried = {}
for _, family in ipairs(families) do
  local name, options = family[1], {}
  for key, value in pairs(family[2]) do
    if icl.models[name].options.specs[key] or key == "input" or key == "classes" then options[key] = value end
  end
  tried[name] = true
  check(("%s %s: the logits of the file are those of the model"):format(name, options.type or "cifar"), function()
    local model = icl.models[name](options)
    stir(model)
    round_trip(model, model.input)
  end)
end

check("every family was tried", function()
  for _, name in ipairs(icl.models.names) do check.equal(tried[name], true) end
end)

-- ---- networks of one's own ----

-- A network with this forward(self, x) behind a convolution and the mean over pixels.
local function own(forward, prepare)
  local Own = nn.layer "own"
  function Own:init()
    self.conv, self.fc = nn.conv2d(3, 4, 3, { bias = true }), nn.linear(4, 5)
    if prepare then prepare(self) end
  end
  Own.forward = forward
  return Own()
end

local small = { 6, 6, 3 }

check("layers that are shared, functions and lists", function()
  local conv = nn.conv2d(4, 4, 3)
  local model = nn.sequential { nn.conv2d(3, 4, 3), conv, nn.relu(), conv, function(x) return x * 2 - 1 end,
                                nn.flatten(), nn.dropout(0.5), nn.linear(4 * 36, 5) }
  local opened = round_trip(model, small)
  check.equal(#opened:named_states(), 4)
end)

check("functions with a gradient of their own", function()
  local double = icl.autograd.define {
    forward = function(_, x) return x * 2 end, backward = function(_, g) return g * 3 end,
  }
  round_trip(own(function(self, x) return self.fc(double(self.conv(x)):global_avg_pool()) end), small)
end)

check("constants: short, long, of the size of the batch, and not finite", function()
  round_trip(own(function(self, x)
    local y = self.conv(x)
    y = icl.ops.concat(y, icl.full({ x:size(1), 6, 6, 2 }, 0.25), { dim = 4 }):narrow(4, 2, 4)
    y = y * self.short + y * self.long
    y = icl.ops.where(y:gt(-math.huge), y, icl.full({ 1 }, math.huge))
    return self.fc(y:global_avg_pool())
  end, function(self)
    self.short, self.long = icl.tensor { 0.1, -2, 3e-8, 4 }, icl.random.normal { 6, 6, 4 }
  end), small)
  local list = core.safetensors_read(path)
  local names = {}
  for _, item in ipairs(list) do names[item.name] = item.tensor end
  check.equal(table.concat(names["icl.constant.0"]:shape(), " "), "6 6 4")
end)

check("sizes that are multiples of the batch", function()
  round_trip(own(function(self, x)
    local y = self.conv(x):linear(icl.full({ 4, 4 }, 0.5))
    y = y:reshape(x:size(1) * 6, 24):relu():reshape(-1, 6, 6, 4)
    return self.fc(y:reshape(x:size(1), 36, 4):max(2))
  end), small)
end)

check("a network that does not look at its images", function()
  round_trip(own(function(self, x) return self.fc(icl.full({ x:size(1), 4 }, 1)) end), small)
end)

check("what a description cannot hold is named, with its layer", function()
  local key = function() return icl.random.key "test" end
  local counter = icl.state(0.0)
  for message, forward in pairs {
    ["op dropout of the network cannot be described: it is random"] =
      function(self, x) return self.fc(icl.ops.dropout(self.conv(x):global_avg_pool(), key(), 0.5)) end,
    ["op uniform of the network cannot be described: it is random"] =
      function(self, x) return self.fc(self.conv(x):global_avg_pool() + icl.ops.uniform(key(), { shape = { 4 } })) end,
    ["a number that depends on the number of images: 2 with 2 and 3 with 3"] =
      function(self, x) return self.fc(self.conv(x):global_avg_pool()) * x:size(1) end,
    ["whose values depend on the number of images"] =
      function(self, x) return self.fc(self.conv(x):global_avg_pool()) * icl.tensor { 1, 2, 3, 4, x:size(1) } end,
    ["op broadcast_to of the network cannot be described: shape is 3 with 2 images and 4 with 3"] = function(self, x)
      local y, n = self.conv(x):global_avg_pool(), x:size(1)
      return self.fc(icl.ops.broadcast_to(y:reshape(n, 1, 4), { shape = { n, n + 1, 4 } }):max(2))
    end,
    ["another program for 3 images than for 2, from op relu"] = function(self, x)
      local y = self.conv(x):global_avg_pool()
      return self.fc(x:size(1) > 2 and y:sigmoid() or y:relu())
    end,
    ["reads the state 'unnamed', which named_states"] = function(self, x)
      return self.fc(self.conv(x):global_avg_pool() + counter)
    end,
    ["writes the state conv.bias in evaluation"] = function(self, x)
      self.conv.bias:write(self.conv.bias + 1)
      return self.fc(self.conv(x):global_avg_pool())
    end,
    ["its value was read while the network ran"] = function(self, x)
      local y = self.conv(x):global_avg_pool()
      return self.fc(y:sum():item() > 1e9 and y or y * y:max())
    end,
    ["gives f32 %(2, 36, 4%)"] = function(self, x) return self.conv(x):reshape(-1, 36, 4) end,
    ["returned a table"] = function(self, x) return { self.fc(self.conv(x):global_avg_pool()) } end,
  } do
    check.raises(function() network.describe(own(forward), small) end, message)
    check.equal(core.in_step(), false)
  end
  check.equal(counter:get(), 0.0)
end)

check("a network gives one value", function()
  local model = own(function(self, x)
    local features = self.conv(x):global_avg_pool()
    return self.fc(features), features
  end)
  check.equal(select(4, network.describe(model, small)), 2)
  check.raises(function() network.save(model, path, { shape = small }) end,
    "network.save: the model returned 2 values; a file holds a network that gives one, the logits")
end)

check("layers are named in errors", function()
  local Bad = nn.layer "bad"
  function Bad:forward(x) return icl.ops.dropout(x, icl.random.key "test", 0.5) end
  local model = nn.sequential { nn.flatten(), { "noise", Bad() }, nn.linear(108, 5) }
  check.raises(function() network.describe(model, small) end, "op dropout of noise")
end)

check("describing leaves modes, states and draws alone", function()
  local model = icl.models.resnet { depth = 8 }
  model.stage1:eval()
  local before = model.bn.num_batches_tracked:get()
  network.describe(model, { 32, 32, 3 })
  check.equal(model.training, true)
  check.equal(model.stage1.training, false)
  check.equal(model.stage1.block1.training, false)
  check.equal(model.stage2.training, true)
  check.equal(model.bn.num_batches_tracked:get(), before)
  check.raises(function()
    icl.step(function() network.describe(model, { 32, 32, 3 }) end)
  end, "step")
  check.raises(function() network.describe({}, small) end, "it takes a module")
  check.raises(function() network.describe(model, { 32, 32 }) end, "height, width, channels")
end)

check("large constants stay out of the way of the model", function()
  local function make()
    return own(function(self, x) return self.fc((self.conv(x) * self.long):global_avg_pool()) end, function(self)
      self.long = icl.full({ 6, 6, 4 }, 0.5) + icl.arange(4):cast "f32"
    end)
  end
  local model, again = make(), make()
  network.save(model, path, { shape = small })
  again:load(path)
  local x = images_for(small, 2)
  check_same(evaluate(again, x), evaluate(model, x))
end)

check("a network whose ops do not depend on the size takes the crops of an evaluation, too", function()
  local opened = round_trip(icl.models.resnet_preact { depth = 8, initial_channels = 4 }, { 32, 32, 3 })
  local model, x = icl.models.resnet_preact { depth = 8, initial_channels = 4 }, images_for({ 28, 28, 3 }, 2)
  model:load(path)
  check_same(opened(x), evaluate(model, x))
  check.raises(function() opened(images_for({ 30, 30, 3 }, 2)) end, "they must be f32 .n, 32, 32, 3.")
  local fixed = round_trip(own(function(self, x)
    return self.fc(self.conv(x):narrow(2, 2, x:size(2) - 1):global_avg_pool())
  end), small)
  check.raises(function() fixed(images_for({ 5, 5, 3 }, 2)) end, "they must be f32 .n, 6, 6, 3.")
end)

-- ---- opened networks ----

local info = { data = { name = "own", classes = 5, class_names = { "a", "b", "c", "d", "e" }, shape = small,
                        mean = { 0.5, 0.25, 0.125 }, std = { 0.2, 0.3, 0.4 } }, recipe = "x.lua",
               figures = { top1 = 0.5 } }

check("what is known of the data comes back", function()
  local model = own(function(self, x) return self.fc(self.conv(x):global_avg_pool()) end)
  network.save(model, path, info)
  local opened = network.open(path)
  check.equal(table.concat(opened.shape, " "), "6 6 3")
  check.equal(opened.classes, 5)
  check.equal(table.concat(opened.class_names), "abcde")
  check.equal(opened.mean[3], 0.125)
  check.equal(opened.std[2], 0.3)
  check.equal(opened:about().recipe, "x.lua")
  check.equal(opened:about().figures.top1, 0.5)
  local bytes = icl.ops.cast(icl.random.uniform { 3, 6, 6, 3 } * 255, { dtype = "u8" })
  local function tensor(list) return icl.tensor(list, { dtype = "f64" }) end
  local images = icl.ops.normalize(bytes, tensor(info.data.mean), tensor(info.data.std))
  check_same(opened(bytes), evaluate(model, images))
end)

check("it is a module: within a step, in a list, loaded from, saved again", function()
  local model = icl.models.resnet { depth = 8 }
  stir(model)
  local opened = round_trip(model, model.input)
  local x = images_for(model.input, 4)
  check_same(icl.step(function() return opened(x) end), evaluate(model, x))
  local both = nn.sequential { { "net", opened }, nn.relu() }
  both:eval()
  check_same(both(x), evaluate(model, x):relu())
  check.equal(opened:count(), 0)
  check.raises(function() opened:train() end, "evaluation only")
  check.raises(function() opened(x:narrow(2, 1, 30)) end, "must be f32 %(n, 32, 32, 3%)")
  check.raises(function() icl.step(function() network.open(path) end) end, "not read inside a step")
  opened:save(path)
  local again = icl.models.resnet { depth = 8 }
  again:load(path)
  check_same(evaluate(again, x), evaluate(model, x))
end)

check("data that does not fit a model is an error", function()
  local model = own(function(self, x) return self.fc(self.conv(x):global_avg_pool()) end)
  local function saving(more)
    local data = { shape = small, mean = { 0, 0, 0 }, std = { 1, 1, 1 } }
    for name, value in pairs(more) do data[name] = value end
    return function() network.save(model, path, { data = data }) end
  end
  saving { class_names = {} } ()
  check.raises(saving { mean = { 0.5 } }, "network.save: data: mean must be a list of 3 numbers, one for each channel")
  check.raises(saving { std = { 1, 1, 1, 1 } }, "network.save: data: std must be a list of 3 numbers")
  check.raises(saving { std = { 1, 1, 0 } }, "network.save: data: std is 1,1,0; it must be at least 1e%-06")
  check.raises(saving { class_names = "abcde" }, "class_names: it takes a list of texts, not 'abcde'")
  check.raises(saving { class_names = { "a", "b" } },
    "network.save: data: class_names: there are 2 names, but 5 classes")
  check.raises(saving { class_names = { "a", "b", "c", "d", 5 } }, "class_names: name 5: it takes a text, not 5")
  check.equal(network.open(path).classes, 5)
end)

check("what is no module is named", function()
  check.raises(function() network.save(5, "x") end, "network.save: it takes a module, not 5")
  check.raises(function() network.of {} end, "network.of: it takes a module, not a table")
  check.raises(function() network.save(icl.nn.linear(2, 3), "x", 5) end, "network.save: info: it takes a table { data")
end)

check("a network in memory is that of the file", function()
  local model = icl.models.resnet { depth = 8 }
  stir(model)
  local net, x = network.of(model), images_for(model.input, 3)
  check.equal(tostring(net), "opened_network: images of 32 x 32 x 3 -> 10 classes")
  local logits = evaluate(model, x)
  check_same(net(x), logits)
  model.fc.bias:write(model.fc.bias + 1)
  check_same(net(x), logits)
end)

check("what is known of a set and its chain", function()
  local augment = icl.augment
  local chain = augment.chain { augment.center_crop { resize = 40 }, augment.normalize {} }
  local data = network.data({ name = "folder", folder = true, shape = { 32, 32, 3 }, count = 7 }, chain)
  check.equal(data.evaluation.resize, 40)
  check.equal(data.evaluation.crop, 32)
  check.equal(data.count, nil)
  check.equal(network.data({ name = "own", shape = small }, chain).evaluation, nil)
end)

check("weights of a file with a description load into the model", function()
  local model, again = icl.models.resnet { depth = 8 }, icl.models.resnet { depth = 8 }
  stir(model)
  network.save(model, path)
  again:load(path)
  local x = images_for(model.input, 2)
  check_same(evaluate(again, x), evaluate(model, x))
end)

check("a checkpoint is a network too", function()
  local model = icl.models.resnet { depth = 8 }
  stir(model)
  network.save(model, path)
  local list, metadata = core.safetensors_read(path)
  for i, item in ipairs(list) do list[i] = { name = "model." .. item.name, tensor = item.tensor } end
  list[#list + 1] = { name = "optimizer.conv.weight", tensor = icl.zeros { 1 } }
  core.safetensors_write(path, list, metadata)
  local x = images_for(model.input, 2)
  check_same(network.open(path)(x), evaluate(model, x))
end)

check("leaves come before the ops that use them", function()
  local model = own(function(self, x) return self.fc(self.conv(x):global_avg_pool()) end)
  local text = network.describe(model, small)
  local nodes = core.json_decode(text).nodes
  local names = {}
  for i, node in ipairs(nodes) do names[i] = node.name or node.op end
  check.equal(table.concat(names, " "),
    "images conv.weight conv2d conv.bias add global_avg_pool fc.weight matmul fc.bias add")
end)

check("a file that was damaged since is an error", function()
  network.save(icl.models.resnet { depth = 8 }, path)
  local file = assert(io.open(path, "r+b"))
  file:seek("end", -3)
  local byte = file:read(1)
  file:seek("end", -3)
  file:write(string.char(byte:byte() ~ 1)):close()
  check.raises(function() network.open(path) end, "checksum")
end)

check("a file that is not right is an error", function()
  local model = own(function(self, x) return self.fc(self.conv(x):global_avg_pool()) end)
  model:save(path)
  check.raises(function() network.open(path) end, "without a description of the network")
  network.save(model, path, info)
  local list, metadata = core.safetensors_read(path)
  for message, change in pairs {
    ["version 2, and this icl reads version 1"] = function(all) all.network.version = 2 end,
    ["there is no op 'conv3d'"] = function(all) all.network.nodes[3].op = "conv3d" end,
    ["node 2, conv2d: an entry of 'of' is not an integer from 0 to 1"] = function(all)
      all.network.nodes[3].of[1] = 2
    end,
    ["node 2, conv2d: there is no attribute 'size'"] = function(all) all.network.nodes[3].attributes.size = 1 end,
    ["node 2, conv2d: stride has 3 entries, not 2"] = function(all)
      all.network.nodes[3].attributes.stride = { 1, 1, 1 }
    end,
    ["this op is no part of networks"] = function(all) all.network.nodes[6].op = "bn_row" end,
    ["has no tensor 'other'"] = function(all) all.network.nodes[2].name = "other" end,
    ["axes do not name each of the 4 axes"] = function(all) all.network.nodes[2].axes = { 0, 1, 2, 2 } end,
    ["node 2: conv2d:"] = function(all) all.network.shape = { 6, 6, 2 } end,
    ["where logits f32"] = function(all) all.network.output = 2 end,
    ["class_names is not a list of 5 texts"] = function(all) all.data.class_names = { "a" } end,
    ["std is not a list of 3 numbers"] = function(all) all.data.std = { 1, 2, "3" } end,
    ["also is not a list of a height and a width"] = function(all) all.network.also = { 5 } end,
    ["the other width is not an integer from 1 to 6"] = function(all) all.network.also = { 5, 7 } end,
    ["crop is 5, but images are 6 x 6"] = function(all) all.data.evaluation = { resize = 7, crop = 5 } end,
  } do
    local all = core.json_decode(metadata.icl)
    change(all)
    core.safetensors_write(path, list, { icl = json.encode(all) })
    local text = check.raises(function() network.open(path) end, message)
    check.equal(text:find(path, 1, true) ~= nil, true)
  end
  core.safetensors_write(path, list, { icl = "{" })
  check.raises(function() network.open(path) end, "'icl' is not JSON")
  check.raises(function() network.save(own(function() end), path) end, "the shape of an image is not known")
end)

os.remove(path)
check.close()
