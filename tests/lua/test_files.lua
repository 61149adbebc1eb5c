-- test_files.lua: image sets and safetensors files as tables of tensors.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local core = require "icl.core"
local icl = require "icl"

local folder = os.tmpname()
os.remove(folder)
os.execute(("mkdir '%s'"):format(folder))
local path = folder .. "/weights.safetensors"

local function put(name, bytes)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  file:write(bytes)
  file:close()
end

local function text(list) return table.concat(list, " ") end

check("a set becomes tensors", function()
  put("train-images-idx3-ubyte", string.pack(">BBBBI4I4I4", 0, 0, 8, 3, 2, 28, 28) .. ("\0\1\2\3"):rep(28 * 28 // 2))
  put("train-labels-idx1-ubyte", string.pack(">BBBBI4BB", 0, 0, 8, 1, 2, 9, 4))
  local set = core.data_open("fashion_mnist", folder, "train")
  check.equal(set.images:dtype(), "u8")
  check.equal(text(set.images:shape()), "2 28 28 1")
  check.equal(text(set.images:reshape(-1):narrow(1, 1, 5):totable()), "0 1 2 3 0")
  check.equal(set.labels:dtype(), "i64")
  check.equal(text(set.labels:totable()), "9 4")
  check.equal(set.name, "fashion_mnist")
  check.equal(set.classes, 10)
  check.equal(#set.class_names, 10)
  check.equal(set.class_names[10], "ankle boot")
  check.equal(text(set.mean), "0.286")
  check.equal(text(set.std), "0.353")
  check.equal(icl.data.set(set).count, 2)
end)

check("sets that cannot be opened", function()
  check.raises(function() core.data_open("fashion_mnist", folder, "test") end, "t10k%-images%-idx3%-ubyte")
  check.raises(function() core.data_open("fashion", folder, "train") end, "there is no image set 'fashion'")
  check.raises(function() core.data_open("mnist", folder, "validation") end, "invalid option 'validation'")
  put("train-labels-idx1-ubyte", "")
  check.raises(function() core.data_open("mnist", folder, "train") end, "train%-labels%-idx1%-ubyte: it is cut")
end)

check("every dtype survives a file", function()
  local values = { f32 = { 1.5, -2 }, bf16 = { 1.5, -2 }, f16 = { 1.5, -2 }, f64 = { 0.1, -2 }, u8 = { 255, 0 },
                   i32 = { -2147483648, 7 }, i64 = { math.mininteger, 7 }, bool = { true, false } }
  local list = {}
  for dtype, numbers in pairs(values) do
    list[#list + 1] = { name = dtype, tensor = core.new_tensor(numbers, dtype) }
  end
  list[#list + 1] = { name = "scalar", tensor = core.new_tensor(3, "f32", {}) }
  list[#list + 1] = { name = "empty", tensor = core.new_tensor({}, "f32", { 2, 0 }) }
  core.safetensors_write(path, list)
  local read, metadata = core.safetensors_read(path)
  check.equal(#read, #list)
  check.equal(next(metadata), nil)
  for _, item in ipairs(read) do
    if values[item.name] then
      check.equal(item.tensor:dtype(), item.name)
      for i, number in ipairs(item.tensor:totable()) do check.equal(number, values[item.name][i]) end
    elseif item.name == "scalar" then
      check.equal(item.tensor:item(), 3.0)
    else
      check.equal(text(item.tensor:shape()), "2 0")
    end
  end
end)

check("states are written as they are now", function()
  local state = icl.state { 1, 2 }
  state:set { 5, 6 }
  core.safetensors_write(path, { { name = "s", tensor = state } })
  check.equal(text(core.safetensors_read(path)[1].tensor:totable()), "5.0 6.0")
end)

check("metadata comes back, and does not make files differ", function()
  local pairs_of = { format = "pt", epoch = "3", note = "a\nb", ["\u{e9}"] = "" }
  local list = { { name = "w", tensor = core.full({ 2 }, 1) } }
  core.safetensors_write(path, list, pairs_of)
  local _, metadata = core.safetensors_read(path)
  for key, value in pairs(pairs_of) do check.equal(metadata[key], value) end
  local first = io.open(path, "rb"):read "a"
  core.safetensors_write(path, list, { note = "a\nb", ["\u{e9}"] = "", epoch = "3", format = "pt" })
  check.equal(io.open(path, "rb"):read "a" == first, true)
end)

check("what cannot be written is an error, and the file stays", function()
  core.safetensors_write(path, { { name = "w", tensor = core.full({ 2 }, 1) } })
  local before = io.open(path, "rb"):read "a"
  local function refused(pattern, list, metadata)
    check.raises(function() core.safetensors_write(path, list, metadata) end, pattern)
  end
  local one = core.full({}, 1)
  refused("item 1 must be a table { name =, tensor = }, not number", { 3 })
  refused("the name of an item must be a string, not nil", { { tensor = one } })
  refused("the tensor of 'w' must be a tensor or a state, not string", { { name = "w", tensor = "x" } })
  refused("the name of an item has a zero byte in it", { { name = "a\0b", tensor = one } })
  refused("two tensors are called 'w'", { { name = "w", tensor = one }, { name = "w", tensor = one } })
  refused("a tensor has a name that is not UTF%-8", { { name = "\xff", tensor = one } })
  refused("epoch must be a string, not number", { { name = "w", tensor = one } }, { epoch = 3 })
  check.equal(io.open(path, "rb"):read "a" == before, true)
  check.raises(function() core.safetensors_write(folder .. "/absent/w", {}) end, "absent/w: cannot open its folder")
end)

check("names can be shown without a terminal obeying them", function()
  check.equal(core.printable "c\27[2Jat \u{e9} \xff", "c\\x1b[2Jat \u{e9} \\xff")
end)

check("damaged files are errors that name them", function()
  put("weights.safetensors", "\2\0\0\0\0\0\0\0[]")
  check.raises(function() core.safetensors_read(path) end, "weights.safetensors: not a safetensors file")
  check.raises(function() core.safetensors_read(folder .. "/absent") end, "/absent: cannot open it: No such file")
end)

os.execute(("rm -r '%s'"):format(folder))
check.close()
