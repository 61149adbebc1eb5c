-- test_models.lua: the model families: sizes, options, messages; their values are in tests/golden.
local folder = arg[0]:match "^(.*/)" or "./"
local check = dofile(folder .. "check.lua")
local core = require "icl.core"
local icl = require "icl"
local models, nn = icl.models, icl.nn

local function merged(a, b)
  local result = {}
  for key, value in pairs(a) do result[key] = value end
  for key, value in pairs(b) do result[key] = value end
  return result
end

-- Calls f while first weights are all 0, which large models are made of faster.
local function with_zero_weights(f)
  local kaiming = nn.initial.kaiming
  nn.initial.kaiming = function(shape) return core.full(shape, 0) end
  local restore <close> = setmetatable({}, { __close = function() nn.initial.kaiming = kaiming end })
  f()
end

for _, group in ipairs(dofile(folder .. "data/model_counts.lua")) do
  local size = table.concat(group.data.input, "x")
  for _, row in ipairs(group.rows) do
    local family, options, parameters, macs = table.unpack(row)
    check(("%s %d at %s: parameters and multiply-accumulates"):format(family, parameters, size), function()
      with_zero_weights(function()
        local model = models[family](merged(group.data, options))
        check.equal(model:count(), parameters)
        check.equal(nn.summary.macs(model), macs)
      end)
      collectgarbage()
    end)
  end
end

local small = {
  vgg = { n_channels = { 2, 4 }, n_layers = { 1, 2 } },
  resnet = { depth = 8, initial_channels = 4 },
  resnet_preact = { depth = 8, initial_channels = 4 },
  se_resnet_preact = { depth = 8, initial_channels = 4, se_reduction = 2 },
  wrn = { depth = 10, initial_channels = 4, widening_factor = 2, drop_rate = 0.3 },
  densenet = { depth = 10, growth_rate = 3, drop_rate = 0.2 },
  pyramidnet = { depth = 11, initial_channels = 4, alpha = 5 },
  resnext = { depth = 11, initial_channels = 4, cardinality = 2, base_channels = 2 },
  shake_shake = { depth = 8, initial_channels = 4 },
}
local large = {
  vgg = {},
  resnet = { n_blocks = { 1, 1, 1, 1 }, initial_channels = 4 },
  resnet_preact = { n_blocks = { 1, 1, 1, 1 }, initial_channels = 4, block_type = "bottleneck" },
  densenet = { n_blocks = { 1, 2, 1, 1 }, growth_rate = 3 },
  pyramidnet = { n_blocks = { 1, 1, 1, 1 }, initial_channels = 4, alpha = 5 },
  resnext = { n_blocks = { 1, 1, 1, 1 }, initial_channels = 4, cardinality = 2, base_channels = 2 },
}

check("every family is in these tables", function()
  check.equal(table.concat(models.names, " "),
    "densenet pyramidnet resnet resnet_preact resnext se_resnet_preact shake_shake vgg wrn")
  for _, name in ipairs(models.names) do check.equal(small[name] ~= nil, true) end
end)

-- One training step; every parameter must get a gradient that is not 0 everywhere.
local function check_gradients(model, images)
  local sums = {}
  icl.step(function()
    local labels = icl.arange(images:size(1))
    icl.loss.cross_entropy(model(images), labels):backward()
    for i, entry in ipairs(model:named_parameters()) do
      if not entry.state.grad then error("no gradient for " .. entry.name) end
      sums[i] = entry.state.grad:abs():sum():keep()
    end
  end)
  for i, entry in ipairs(model:named_parameters()) do
    if not (sums[i]:item() > 0) then error(("the gradient of %s is %g"):format(entry.name, sums[i]:item())) end
  end
end

for _, name in ipairs(models.names) do
  check(name .. " trains and evaluates", function()
    icl.random.seed(1)
    local model = models[name](merged(small[name], { classes = 7, input = { 16, 16, 3 } }))
    local images = icl.random.normal { 3, 16, 16, 3 }
    check_gradients(model, images)
    model:eval()
    local logits = icl.step(function() return model(images) end)
    check.equal(table.concat(logits:shape(), " "), "3 7")
    check.equal(logits:dtype(), "f32")
    check.equal(tostring(model):find("fc: linear %d+ %-> 7") ~= nil, true)
  end)
end

for name, options in pairs(large) do
  check(name .. " for large images: shapes", function()
    with_zero_weights(function()
      local model = models[name](merged(options, { type = "imagenet", classes = 7, input = { 64, 64, 3 } }))
      local size = name == "vgg" and "stage5: sequential +%(2, 2, 512%)" or "stage4: sequential +%(2, 2, %d+%)"
      check.equal(tostring(model):find(size) ~= nil, true)
      check.equal(tostring(model):find(": linear %d+ %-> 7") ~= nil, true)
    end)
  end)
end

local function has(model, name)
  for _, entry in ipairs(model:named_parameters()) do
    if entry.name == name then return true end
  end
  return false
end

check("names of optional layers", function()
  local preact = models.resnet_preact
  check.equal(has(preact { depth = 8 }, "stage1.block1.bn3.weight"), false)
  check.equal(has(preact { depth = 8, add_last_bn = true }, "stage1.block1.bn3.weight"), true)
  local bottleneck = preact { depth = 11, block_type = "bottleneck", add_last_bn = true }
  check.equal(has(bottleneck, "stage1.block1.bn4.weight"), true)
  check.equal(has(preact { depth = 8 }, "stage2.block1.shortcut.conv.weight"), true)
  check.equal(has(preact { depth = 8 }, "stage1.block1.shortcut.conv.weight"), false)
  check.equal(has(models.vgg { use_bn = false }, "stage1.bn0.weight"), false)
  check.equal(has(models.shake_shake(small.shake_shake), "stage1.block1.shortcut.skip.conv2.weight"), true)
end)

-- Standard deviation of a weight over its elements.
local function deviation(state)
  return math.sqrt(state:read():var():item())
end

check("first weights", function()
  local grouped = models.resnext { depth = 11, initial_channels = 16, cardinality = 4, base_channels = 16 }
  check.near(deviation(grouped.stage1.block1.conv2.weight), math.sqrt(2 / (64 * 9)), 2e-3)
  local fan_in = models.wrn { depth = 10, widening_factor = 4, init_mode = "kaiming_fan_in" }
  check.near(deviation(fan_in.stage3.block1.conv1.weight), math.sqrt(2 / (128 * 9)), 1e-3)
  check.near(deviation(fan_in.fc.weight), math.sqrt(2 / 256), 1e-2)
  local vgg = models.vgg { n_channels = { 64, 64 }, n_layers = { 1, 1 } }
  check.near(deviation(vgg.stage2.conv0.bias), 1 / math.sqrt(3 * 64 * 9), 6e-3)
  check.equal(models.resnet { depth = 8 }.bn.running_var:get()[1], 1)
end)

check("a model without options prints its tree", function()
  local text = tostring(models.resnet_preact {})
  for _, part in ipairs { "resnet_preact", "1,730,522", "253,149,824", "stage3: sequential", "(8, 8, 64)" } do
    if not text:find(part, 1, true) then error(("no '%s' in\n%s"):format(part, text)) end
  end
end)

check("first weights of the last layer", function()
  local function largest(options, name)
    icl.random.seed(4)
    local set = { shape = { 32, 32, 3 }, classes = 3, name = name }
    return models.from_options(merged({ depth = 8 }, options), set, "resnet_preact").fc.weight:abs():max():item()
  end
  local small, large = 1 / math.sqrt(64), math.sqrt(2 / 3)
  for _, name in ipairs { "folder", "own" } do check.near(largest({}, name), small, 0.01) end
  for _, name in ipairs { "cifar10", "imagenet" } do check.equal(largest({}, name) > large, true) end
  check.near(largest({ head_init = "default" }, "cifar10"), small, 0.01)
  check.equal(largest({ head_init = "published" }, "folder"), largest({}, "cifar10"))
  icl.random.seed(4)
  check.equal(models.resnet_preact({ depth = 8, classes = 3 }).fc.weight:abs():max():item(), largest({}, "cifar10"))
  local vgg = models.vgg { n_channels = { 4 }, n_layers = { 1 }, head_init = "default" }
  check.near(vgg.fc.weight:abs():max():item(), 1 / math.sqrt(4 * 16 * 16), 1e-3)
end)

check("the same seed gives the same bytes", function()
  local function bytes()
    icl.random.seed(5)
    local parts = {}
    for i, entry in ipairs(models.resnet_preact { depth = 8 }:named_states()) do parts[i] = entry.state:bytes() end
    return table.concat(parts)
  end
  check.equal(bytes() == bytes(), true)
end)

check("switches to the networks of the papers", function()
  with_zero_weights(function()
    local resnet50 = models.resnet { type = "imagenet", n_blocks = { 3, 4, 6, 3 }, block_type = "bottleneck",
                                     initial_channels = 64, expand_first_stage = true }
    check.equal(resnet50:count(), 25557032)
  end)
  local options = { type = "imagenet", n_blocks = { 1, 1, 1, 1 }, growth_rate = 2, input = { 64, 64, 3 } }
  check.equal(models.densenet(options).last_relu, false)
  check.equal(models.densenet(merged(options, { last_relu = true })).last_relu, true)
end)

-- The networks of the papers, whose sizes are those that PyTorch's collection has under the same names.
local of_papers = {
  { "resnet", 18, 11689512 }, { "resnet", 34, 21797672 }, { "resnet", 50, 25557032 }, { "resnet", 101, 44549160 },
  { "resnet", 152, 60192808 }, { "resnext", 50, 25028904 }, { "resnext", 101, 44177704 },
  { "densenet", 121, 7978856 }, { "densenet", 161, 28681000 }, { "densenet", 169, 14149480 },
  { "densenet", 201, 20013928 }, { "vgg", 11, 132868840 }, { "vgg", 19, 143678248 },
}

check("a depth of the paper is the network of the paper", function()
  with_zero_weights(function()
    for _, row in ipairs(of_papers) do
      local name, depth, count = table.unpack(row)
      check.equal(models[name]({ depth = depth, type = "imagenet" }):count(), count)
      collectgarbage()
    end
  end)
end)

check("what is given beats the paper", function()
  with_zero_weights(function()
    local preact = models.resnet_preact { depth = 200, type = "imagenet", initial_channels = 4 }
    check.equal(preact.settings.initial_channels, 4)
    check.equal(preact.settings.expand_first_stage, true)
    check.equal(#preact.stage3, 36)
    local plain = models.densenet { depth = 121, type = "imagenet", growth_rate = 2, last_relu = false }
    check.equal(plain.last_relu, false)
    check.equal(#models.pyramidnet({ depth = 200, type = "imagenet", initial_channels = 4, alpha = 4 }).stage2, 24)
    check.equal(#models.vgg({ depth = 13 }).stage5, 7)
    check.equal(models.resnet({ type = "imagenet" }).settings.initial_channels, 16)
  end)
end)

check("options that a form or a block has nothing of are told, those of a paper are not", function()
  local resnet, preact = models.resnet.options, models.resnet_preact.options
  local function read(list, text)
    local words = {}
    for word in text:gmatch "%S+" do words[#words + 1] = word end
    local values, message = list:read(words)
    return values and "fine" or message
  end
  for _, list in ipairs { resnet, preact } do
    check.equal(read(list, "--type imagenet --depth 50 --no-expand-first-stage"), "fine")
    check.equal(read(list, "--type imagenet --depth 18 --block-type bottleneck --expand-first-stage"), "fine")
    for _, text in ipairs { "", "--type imagenet", "--type imagenet --depth 34", "--depth 50" } do
      check.equal(read(list, text .. " --expand-first-stage"),
        "--expand-first-stage means nothing without --block-type bottleneck")
    end
  end
  check.equal(read(resnet, "--n-blocks 1,1,1,1"), "--n-blocks 1,1,1,1 means nothing without --type imagenet")
end)

check("channels of a pyramid: half-way cases go to the even number", function()
  local model = models.pyramidnet { depth = 8, block_type = "basic", initial_channels = 4, alpha = 1.5 }
  check.equal(model.stage1.block1.bn3.weight:count(), 4)
  check.equal(model.stage2.block1.bn3.weight:count(), 5)
  check.equal(model.stage3.block1.bn3.weight:count(), 6)
end)

local Shake = models.shake_shake

-- Two branches that are numbers instead of networks: the result and the two gradients of a block in training.
local function shake(options, a, b)
  local block = Shake(merged(small.shake_shake, options)).stage3.block1
  local first, second = icl.tensor(a), icl.tensor(b)
  first:requires_grad()
  second:requires_grad()
  local y = block:mixed(first, second)
  return y, icl.grad(y:sum(), { first, second })
end

local ones = icl.ones({ 4, 1, 1, 1 }):totable()
local zeros = icl.zeros({ 4, 1, 1, 1 }):totable()

check("shake-shake: shares of each image, others for the gradient", function()
  local y, gradients = shake({}, ones, zeros)
  local alpha, beta = y:reshape(-1):totable(), gradients[1]:reshape(-1):totable()
  local rest = gradients[2]:reshape(-1):totable()
  for i = 1, 4 do
    check.equal(alpha[i] >= 0 and alpha[i] < 1, true)
    check.near(beta[i] + rest[i], 1, 1e-6)
    check.equal(alpha[i] ~= beta[i], true)
  end
  check.equal(alpha[1] ~= alpha[2], true)
  check.equal(beta[1] ~= beta[2], true)
end)

check("shake-shake: one share for the batch, half and half, the share kept", function()
  local y, gradients = shake({ shake_image = false }, ones, zeros)
  local alpha, beta = y:reshape(-1):totable(), gradients[1]:reshape(-1):totable()
  check.equal(alpha[1] == alpha[4] and beta[1] == beta[4], true)
  check.equal(alpha[1] ~= beta[1], true)
  y, gradients = shake({ shake_forward = false, shake_backward = false }, ones, zeros)
  check.equal(y:reshape(-1):totable()[3], 0.5)
  check.equal(gradients[2]:reshape(-1):totable()[3], 0.5)
  y, gradients = shake({ shake_keep = true }, ones, zeros)
  check.equal(y:reshape(-1):totable()[2], gradients[1]:reshape(-1):totable()[2])
end)

check("shake-shake: other shares in another step, half in evaluation", function()
  local model = Shake(small.shake_shake)
  local block = model.stage3.block1
  local function share() return block:mixed(icl.tensor(ones), icl.tensor(zeros)):reshape(-1) end
  local first, second = icl.step(share):totable(), icl.step(share):totable()
  check.equal(first[1] ~= second[1], true)
  model:eval()
  check.equal(icl.step(share):totable()[1], 0.5)
end)

check("shake-shake: shares from outside", function()
  local block = Shake(small.shake_shake).stage1.block1
  function block.draw(_, name, images)
    check.equal(images, 4)
    return icl.full({ 4, 1, 1, 1 }, name == "alpha" and 0.25 or 0.125)
  end
  check.equal(block:mixed(icl.tensor(ones), icl.tensor(zeros)):reshape(-1):totable()[4], 0.25)
end)

check("a model is built from the options of a command line", function()
  local family = models.wrn
  local opt = icl.options "recipe" : include(family.options, icl.options.data) : read { "--depth", "10",
    "--widening-factor=1", "--init-mode", "kaiming_fan_in" }
  local model = models.from_options(opt, { shape = { 8, 8, 1 }, classes = 3 }, "wrn")
  check.equal(model.settings.depth, 10)
  check.equal(model.settings.init_mode, "kaiming_fan_in")
  check.equal(table.concat(model.input, " "), "8 8 1")
  check.equal(model.fc.weight:size(2), 3)
  check.raises(function() models.from_options(opt, {}, "wrm") end, "did you mean wrn")
  check.raises(function() models.from_options("wrn", opt, {}) end, "options: it takes a table of options, not 'wrn'")
  model = models.from_options({ model = "wrn", depth = 10 }, { shape = { 8, 8, 1 }, classes = 3 })
  check.equal(model.class_name, "wrn")
end)

-- { family, options, what the error says }
local mistakes = {
  { "resnet_preact", { depth = 21 },
    "depth 21 is impossible with basic blocks; it must be 6n %+ 2, for example 20 or 26" },
  { "resnet", { depth = 20, block_type = "bottleneck", initial_channels = 3 }, "initial_channels is 3.*at least 4" },
  { "resnet", { depth = 21, block_type = "bottleneck" }, "9n %+ 2, for example 20 or 29" },
  { "resnet", { depth = 2 }, "for example 8 or 14" },
  { "resnet", { depth = 18 }, "for example 14 or 20; 18, 34, 50, 101, 152 are for type imagenet" },
  { "resnet", { depth = 20, type = "imagenet" }, "depth 20 is impossible with type imagenet; depth is the number of "
    .. "layers; cifar: 6n %+ 2.*imagenet: 18, 34, 50, 101 or 152.*n_blocks makes others" },
  { "densenet", { depth = 100, type = "imagenet" }, "imagenet: 121, 161, 169 or 201" },
  { "resnet", { depth = 50, type = "imagenet", block_type = "basic" },
    "depth 50 has bottleneck blocks, not block_type basic; n_blocks makes" },
  { "resnet", { depth = 50, type = "imagenet", n_blocks = { 1, 1, 1, 1 } }, "give one of them" },
  { "resnet", { n_blocks = { 1, 1, 1, 1 } }, "n_blocks = 1,1,1,1 means nothing without type imagenet" },
  { "resnet", { depth = 1 << 31 }, "depth is 2147483648; it must be at most 10000" },
  { "resnet", { initial_channels = 1 << 40 }, "initial_channels is 1099511627776; it must be at most 65536" },
  { "resnet", { classes = 1 << 31 }, "classes is 2147483648; it must be an integer from 1 to" },
  { "resnet", { input = { 1 << 31, 32, 3 } }, "a size of input is 2147483648" },
  { "resnet", { type = "imagenet", n_blocks = { 1, 1, 1, 1 << 31 } }, "an entry of n_blocks is 2147483648" },
  { "wrn", { widening_factor = 1 << 40 }, "widening_factor is 1099511627776" },
  { "pyramidnet", { alpha = 1e300 }, "alpha is 1e%+300; it must be at most" },
  { "vgg", { depth = 12 }, "depth 12 is impossible; there are 11, 13, 16, 19" },
  { "vgg", { depth = 11, n_layers = { 1, 1, 1, 1, 1 } }, "give one of them" },
  { "wrn", 28, "icl.models.wrn: it takes a table of options, not 28" },
  { "resnext", { depth = 30 }, "depth 30 is impossible; it must be 9n %+ 2, for example 29 or 38" },
  { "wrn", { depth = 20 }, "6n %+ 4, for example 16 or 22" },
  { "densenet", { depth = 101, block_type = "basic" }, "3n %+ 4, for example 100 or 103" },
  { "densenet", { depth = 101 }, "with bottleneck blocks; it must be 6n %+ 4" },
  { "resnet_preact", { block_type = "basik" }, "block_type is basik.*did you mean basic" },
  { "resnet_preact", { chanels = 16 }, "no option 'chanels'" },
  { "resnet_preact", { preact_stage = { true } }, "no entry for stage 2" },
  { "resnet_preact", { preact_stage = { 1, 2, 3 } }, "preact_stage is 1,2,3; it must be a list such as yes,no,no" },
  { "resnet_preact", { input = { 32, 32 } }, "height, width, channels" },
  { "resnet_preact", { input = { 32, 0, 3 } }, "a size of input is 0" },
  { "resnet_preact", { classes = 0 }, "classes is 0" },
  { "resnet_preact", { init_mode = "kaiming" }, "init_mode is kaiming.*kaiming_fan_out" },
  { "resnet_preact", { type = "imagenet", n_blocks = { 1 } }, "n_blocks has 1 entries; imagenet has 4 stages" },
  { "resnet", { type = "imagenet", n_blocks = { 1, 1, 1.5, 1 } }, "an entry of n_blocks is 1.5" },
  { "resnet", { depth = "20" }, "depth is 20; it must be an integer" },
  { "wrn", { type = "imagenet" }, "type is imagenet; it must be cifar" },
  { "wrn", { drop_rate = 1 }, "less than 1" },
  { "shake_shake", { initial_channels = 5 }, "initial_channels is 5; it must be even" },
  { "se_resnet_preact", { depth = 8, se_reduction = 32 },
    "a se_reduction of 32 leaves nothing of initial_channels 16" },
  { "vgg", { input = { 28, 28, 1 } }, "28 x 28 are too small for 5 stages.*they need 32 x 32" },
  { "vgg", { n_layers = { 1, 1 } }, "n_channels has 5 entries and n_layers 2" },
  { "vgg", { n_layers = { 1, 1, 0, 1, 1 } }, "n_layers is 1,1,0,1,1; it must be at least 1" },
  { "densenet", { input = { 3, 32, 3 } }, "3 x 32 are too small" },
  { "densenet", { depth = 10, compression_rate = 0 }, "leaves nothing of" },
  { "pyramidnet", { input = { 30, 30, 3 } }, "30 x 30 have an odd size.*multiples of 4" },
  { "pyramidnet", { type = "imagenet", input = { 220, 224, 3 } }, "multiples of 32" },
}

for _, row in ipairs(mistakes) do
  check(row[1] .. ": " .. row[3], function()
    check.raises(function() models[row[1]](row[2]) end, row[3])
  end)
end

check.close()
