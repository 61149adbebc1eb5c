-- test_weights.lua: models in files, in PyTorch's names and layouts.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local core = require "icl.core"
local icl = require "icl"
local nn = icl.nn

local path = os.tmpname()

local function net(output)
  return nn.sequential { { "conv", nn.conv2d(2, 3, 3) }, { "bn", nn.batch_norm(3) }, { "flat", nn.flatten() },
                         { "fc", nn.linear(12, output or 4) } }
end

local function by_name(list)
  local result = {}
  for _, item in ipairs(list) do result[item.name] = item.tensor end
  return result
end

check("what is saved is loaded, to the byte", function()
  local a, b = net(), net()
  a.bn.running_mean:set { 1, 2, 3 }
  a:save(path)
  b:load(path)
  local states = b:named_states()
  for i, entry in ipairs(a:named_states()) do check.equal(states[i].state:bytes() == entry.state:bytes(), true) end
end)

check("files hold PyTorch's layouts", function()
  local a = net()
  a:save(path)
  local stored = by_name(core.safetensors_read(path))
  check.equal(table.concat(stored["conv.weight"]:shape(), " "), "3 2 3 3")
  check.equal(table.concat(stored["fc.weight"]:shape(), " "), "4 12")
  local own, other = a.conv.weight:read():totable(), stored["conv.weight"]:totable()
  check.equal(other[3][2][1][2], own[1][2][2][3])
  check.equal(stored["fc.weight"]:totable()[4][7], a.fc.weight:read():totable()[7][4])
end)

check("to and from are inverse", function()
  local weights = icl.weights
  local x = icl.arange(24):reshape(1, 2, 3, 4)
  local axes = nn.conv2d.pytorch_axes.weight
  local back = weights.from_pytorch(weights.to_pytorch(x, axes), axes)
  check.equal(table.concat(back:reshape(-1):totable(), " "), table.concat(x:reshape(-1):totable(), " "))
end)

check("all differences are in one error, and nothing is loaded", function()
  local a, b = net(), net(5)
  b.extra = nn.linear(2, 2)
  a.other = nn.linear(1, 1)
  a:save(path)
  local before = b.conv.weight:bytes()
  check.raises(function() b:load(path) end, "2 not in the file: extra.weight, extra.bias; "
    .. "2 not in the model: other.*; 2 of another shape: fc.weight: %(12, 4%) in the file, %(12, 5%) in the model")
  check.equal(b.conv.weight:bytes() == before, true)
  check.raises(function() b:load(path, { strict = "no" }) end, "load: strict is 'no'; it must be true or false")
  local differences = b:load(path, { strict = false })
  check.equal(#differences.missing, 2)
  check.equal(#differences.wrong, 2)
  check.equal(b.conv.weight:bytes() == a.conv.weight:bytes(), true)
end)

check("of the state of a run the model is loaded", function()
  local a, b, list = net(), net(), {}
  for i, item in ipairs(icl.weights.state_dict(a)) do
    list[i] = { name = "model." .. item.name, tensor = item.tensor }
  end
  list[#list + 1] = { name = "optimizer.count", tensor = icl.tensor { 1 } }
  core.safetensors_write(path, list, { format = "pt", icl = '{"state":{"epoch":1}}' })
  b:load(path)
  check.equal(b.conv.weight:bytes() == a.conv.weight:bytes(), true)
  core.safetensors_write(path, list, { format = "pt", icl = "no JSON" })
  check.raises(function() b:load(path) end, "optimizer.count.* model:load%(path, { strict = false }%) loads what fits")
end)

check("a tensor that cannot be read keeps the others from nothing", function()
  local header = '{"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
    .. '"weight":{"dtype":"F4","shape":[2,1],"data_offsets":[8,9]}}'
  local file = assert(io.open(path, "wb"))
  file:write(string.pack("<s8ffB", header, 5, 6, 7))
  file:close()
  local list, layer = core.safetensors_read(path), nn.linear(1, 2)
  check.equal(list[2].problem:find "its dtype is F4; icl reads I64 " ~= nil, true)
  check.raises(function() return list[2].tensor end, "tensor 'weight' of the file cannot be read: its dtype is F4")
  check.raises(function() layer:load(path) end, "1 not readable: weight: its dtype is F4")
  local differences = layer:load(path, { strict = false })
  check.equal(#differences.unreadable, 1)
  check.equal(table.concat(layer.bias:read():totable(), " "), "5.0 6.0")
  check.raises(function() layer:load(path, { rename = function(name) return name end }) end, "1 not readable: weight")
end)

-- The file of a network with other names for its tensors.
local function write_renamed(module, rename)
  local list = {}
  for _, item in ipairs(icl.weights.state_dict(module)) do
    local name = rename(item.name)
    if name then list[#list + 1] = { name = name, tensor = item.tensor } end
  end
  core.safetensors_write(path, list, {})
end

check("old files have no counters of batches", function()
  local a, b = net(), net()
  write_renamed(a, function(name) return not name:find "num_batches_tracked" and name end)
  b.bn.num_batches_tracked:set(7)
  b:load(path)
  check.equal(b.bn.num_batches_tracked:read():item(), 0)
  check.equal(b.conv.weight:bytes() == a.conv.weight:bytes(), true)
end)

check("where no name fits the reason is given", function()
  local a, b = net(), net()
  write_renamed(a, function(name) return "module." .. name end)
  local pattern = "all in the file begin with module., which rename = function%(name%) return name:sub%(8%) end"
  check.raises(function() b:load(path) end, pattern)
  check.raises(function() b:load(path, { strict = false }) end, "0 of 8 names in .* fit the model; " .. pattern)
  b:load(path, { rename = function(name) return name:sub(8) end })
  check.equal(b.fc.weight:bytes() == a.fc.weight:bytes(), true)
end)

check("names of torchvision are looked for behind a renaming", function()
  local given = { type = "imagenet", depth = 18, input = { 32, 32, 3 }, classes = 3, initial_channels = 4 }
  local a, b = icl.models.resnet(given), icl.models.resnet(given)
  a:save(path, { names = "torchvision" })
  local list = icl.weights.read(path)
  for i, item in ipairs(list) do list[i] = { name = "module." .. item.name, tensor = item.tensor } end
  icl.weights.write(path, list)
  b:load(path, { rename = function(name) return name:sub(8) end })
  check.equal(b.fc.weight:bytes() == a.fc.weight:bytes(), true)
end)

check("names can be changed and left out", function()
  local a, b = net(), net()
  write_renamed(a, function(name) return name:gsub("^fc", "head") end)
  check.raises(function() b:load(path, { rename = function(name) return name:gsub("^head", "x") end }) end, "x.weight")
  local differences = b:load(path, { strict = false, rename = function(name)
    return not name:find "^head" and name or nil
  end })
  check.equal(table.concat(differences.missing, " "), "fc.weight fc.bias")
  check.equal(#differences.unexpected, 0)
  check.raises(function() b:load(path, { rename = function() return "a" end }) end, "rename makes a of both")
  check.raises(function() b:load(path, { rename = function() return 5 end }) end, "rename gives 5 for")
  check.raises(function() b:load(path, { rename = "a" }) end, "load: rename: it takes a function of a name, not 'a'")
  check.raises(function() b:load(path, { renam = print }) end, "did you mean rename")
end)

check("some layers stay as they are", function()
  local a, b = net(), net(5)
  a:save(path)
  local before = b.fc.weight:bytes()
  check.raises(function() b:load(path) end, 'model:load%(path, { except = "fc" }%) loads all but it')
  local differences = b:load(path, { except = "fc" })
  check.equal(table.concat(differences.left, " "), "fc.weight fc.bias")
  check.equal(#differences.missing + #differences.unexpected + #differences.wrong, 0)
  check.equal(b.fc.weight:bytes() == before, true)
  check.equal(b.conv.weight:bytes() == a.conv.weight:bytes(), true)
  local c = net()
  before = c.bn.bias:bytes()
  differences = c:load(path, { except = { "bn.bias", "conv" } })
  check.equal(table.concat(differences.left, " "), "conv.weight bn.bias")
  check.equal(c.fc.weight:bytes() == a.fc.weight:bytes(), true)
  check.raises(function() c:load(path, { except = "cnov" }) end, "there is no 'cnov' in the model %(did you mean conv")
  check.raises(function() c:load(path, { except = { "conv", 3 } }) end, "load: except: it takes the name of a layer")
  b.extra = nn.linear(1, 1)
  check.raises(function() b:load(path, { except = "fc" }) end, "2 not in the file: extra.weight, extra.bias")
end)

check("a list of tensors is written and read", function()
  local list = { { name = "b.weight", tensor = icl.tensor { { 1, 2 }, { 3, 4 } } },
                 { name = "a", tensor = icl.tensor({ 7 }, { dtype = "i64" }) } }
  icl.weights.write(path, list)
  local found = by_name(icl.weights.read(path))
  check.equal(table.concat(found["b.weight"]:reshape(4):totable(), " "), "1.0 2.0 3.0 4.0")
  check.equal(found.a:dtype(), "i64")
  local renamed = icl.weights.read(path)
  for _, item in ipairs(renamed) do item.name = "x." .. item.name end
  icl.weights.write(path, renamed)
  check.equal(by_name(icl.weights.read(path))["x.a"]:item(), 7)
  check.raises(function() icl.weights.write(path, { { name = "a" } }) end,
    "icl.weights.write: tensor of item 1, a, is nil; it must be a tensor")
  check.raises(function() icl.weights.write(path, { icl.zeros { 1 } }) end, "item 1 is .*; it must be { name =, tensor = }")
  check.raises(function() icl.weights.write(path, { a = icl.zeros { 1 } }) end, "the list is empty")
  check.raises(function() icl.weights.write(list, path) end, "icl.weights.write: a path is needed, not a table")
  check.equal(by_name(icl.weights.read(path))["x.a"]:item(), 7)
end)

check("a renamed file with another head", function()
  local a, b = net(), net(7)
  write_renamed(a, function(name) return "module." .. name:gsub("^fc", "classifier") end)
  local differences = b:load(path, { except = "fc", rename = function(name)
    return (name:gsub("^module%.", ""):gsub("^classifier", "fc"))
  end })
  check.equal(#differences.left, 2)
  check.equal(b.conv.weight:bytes() == a.conv.weight:bytes(), true)
end)

check("lists have PyTorch's names", function()
  local a = nn.sequential { { "layers", nn.list { nn.linear(2, 2), nn.linear(2, 2) } } }
  a:save(path)
  check.equal(by_name(core.safetensors_read(path))["layers.1.weight"]:size(1), 2)
end)

check("what is no module is named", function()
  check.raises(function() icl.weights.save(5, path) end, "save: it takes a module, not 5")
  check.raises(function() icl.weights.state_dict() end, "state_dict: it takes a module, not nil")
  check.raises(function() icl.weights.load_state_dict(net()) end, "load: it takes a list of")
end)

check("a saved file has a checksum, and a changed one is not loaded", function()
  local a = net()
  a:save(path)
  check.equal(select(2, core.safetensors_read(path)).checksum:match "^crc32:", "crc32:")
  local bytes = io.open(path, "rb"):read "a"
  local file = io.open(path, "wb")
  file:write(bytes:sub(1, -2), string.char(bytes:byte(-1) ~ 1))
  file:close()
  check.raises(function() a:load(path) end, "is damaged: its checksum is crc32:%x+, the file says crc32:%x+")
  check.raises(function() icl.weights.read(path) end, "is damaged: its checksum")
  check.raises(function() icl.weights.averages(path) end, "is damaged: its checksum")
end)

check("a file that is not there is named", function()
  check.raises(function() net():load "/nowhere/weights.safetensors" end, "/nowhere/weights.safetensors")
end)

os.remove(path)
check.close()
