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
  local differences = b:load(path, { strict = false })
  check.equal(#differences.missing, 2)
  check.equal(#differences.wrong, 2)
  check.equal(b.conv.weight:bytes() == a.conv.weight:bytes(), true)
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
end)

check("a file that is not there is named", function()
  check.raises(function() net():load "/nowhere/weights.safetensors" end, "/nowhere/weights.safetensors")
end)

os.remove(path)
check.close()
