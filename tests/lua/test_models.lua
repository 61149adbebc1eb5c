-- test_models.lua: the pre-activation ResNet; its values are in tests/golden.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local resnet = icl.models.resnet_preact

-- Published counts of parameters and multiply-accumulates.
local counts = {
  { { depth = 20 }, 272282, 40813184 },
  { { depth = 20, initial_channels = 64 }, 4326986, 647694848 },
  { { depth = 56, add_last_bn = true, remove_first_relu = true }, 857594, 125747840 },
  { { depth = 164, block_type = "bottleneck" }, 1619290, 169036288 },
  { { depth = 20, input = { 28, 28, 1 } }, 271994, 31021952 },
  { { type = "imagenet", initial_channels = 64, input = { 224, 224, 3 }, classes = 1000 }, 11687848, 1814073344 },
}

check("parameters and multiply-accumulates", function()
  for _, row in ipairs(counts) do
    local model = resnet(row[1])
    check.equal(model:count(), row[2])
    check.equal(icl.nn.summary.macs(model), row[3])
  end
end)

check("shapes of stages and logits", function()
  local model = resnet { depth = 29, block_type = "bottleneck", classes = 7 }
  check.equal(table.concat(model(icl.zeros { 2, 32, 32, 3 }):shape(), " "), "2 7")
  check.equal(tostring(model):find("stage3: sequential +%(8, 8, 256%)") ~= nil, true)
  local large = resnet { type = "imagenet", n_blocks = { 1, 1, 1, 1 }, initial_channels = 4, input = { 64, 64, 3 } }
  check.equal(tostring(large):find("stage4: sequential +%(2, 2, 32%)") ~= nil, true)
end)

check("names of optional layers", function()
  local function has(model, name)
    for _, entry in ipairs(model:named_parameters()) do
      if entry[1] == name then return true end
    end
    return false
  end
  check.equal(has(resnet { depth = 8 }, "stage1.block1.bn3.weight"), false)
  check.equal(has(resnet { depth = 8, add_last_bn = true }, "stage1.block1.bn3.weight"), true)
  local bottleneck = resnet { depth = 11, block_type = "bottleneck", add_last_bn = true }
  check.equal(has(bottleneck, "stage1.block1.bn4.weight"), true)
  check.equal(has(resnet { depth = 8 }, "stage2.block1.shortcut.conv.weight"), true)
  check.equal(has(resnet { depth = 8 }, "stage1.block1.shortcut.conv.weight"), false)
end)

check("the same seed gives the same bytes", function()
  local function bytes()
    icl.random.seed(5)
    local parts = {}
    for i, entry in ipairs(resnet { depth = 8 }:named_states()) do parts[i] = entry[2]:bytes() end
    return table.concat(parts)
  end
  check.equal(bytes() == bytes(), true)
end)

check("impossible options are explained", function()
  check.raises(function() resnet { depth = 21 } end, "depth 21 is impossible with basic blocks; "
    .. "it must be 6n %+ 2, for example 20 or 26")
  check.raises(function() resnet { depth = 20, block_type = "bottleneck" } end, "9n %+ 2")
  check.raises(function() resnet { depth = 2 } end, "for example 8 or 14")
  check.raises(function() resnet { block_type = "basik" } end, "did you mean basic")
  check.raises(function() resnet { chanels = 16 } end, "no option 'chanels'")
  check.raises(function() resnet { preact_stage = { true } } end, "no entry for stage 2")
  check.raises(function() resnet { input = { 32, 32 } } end, "height, width, channels")
  check.raises(function() resnet { init_mode = "kaiming" } end, "init_mode")
  check.raises(function() resnet { type = "imagenet", n_blocks = { 1 } } end, "n_blocks has 1 entries")
end)

check.close()
