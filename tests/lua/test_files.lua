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

-- ---- beside what goes on ----

local function values(of) return text(core.safetensors_read(of)[1].tensor:totable()) end

check("a writer writes what the values were when it began", function()
  local state = icl.state(core.full({ 1 << 20 }, 1))
  local other = core.full({ 3 }, 7)
  for _, inside in ipairs { false, true } do
    local writer
    local function start()
      local list = { { name = "s", tensor = state }, { name = "o", tensor = other * 2 } }
      writer = core.safetensors_write_start(path, list, { format = "pt" })
    end
    if inside then icl.step(start) else start() end
    for _ = 1, 5 do icl.step(function() state:write(state + 1) end) end
    check.equal(writer:wait(), true)
    check.equal(writer:done(), true)
    check.equal(writer:wait(), true)
    local list, metadata = core.safetensors_read(path)
    local first, last = list[2].tensor:min():item(), list[2].tensor:max():item()
    check.equal(list[2].name, "s")
    check.equal(first, inside and 6.0 or 1.0)
    check.equal(last, first)
    check.equal(text(list[1].tensor:totable()), "14.0 14.0 14.0")
    check.equal(metadata.format, "pt")
    check.equal(metadata.checksum:match "^crc32:%x%x%x%x%x%x%x%x$", metadata.checksum)
    check.equal(core.safetensors_verify(path), true)
    check.equal(core.full({ 1 }, 0):item(), 0.0)
  end
  check.equal(state:max():item(), 11.0)
end)

check("a writer that nobody waits for finishes when it is collected", function()
  for i = 1, 3 do
    core.safetensors_write_start(path, { { name = "w", tensor = core.full({ 1 << 16 }, i) } })
    collectgarbage()
    collectgarbage()
    check.equal(core.safetensors_verify(path), true)
    check.equal(values(path):match "^%S+ %S+", ("%.1f %.1f"):format(i, i))
  end
end)

check("the old file is kept, and the new one gets further names", function()
  local keep, best = folder .. "/previous", folder .. "/best"
  local function save(number, options)
    local list = { { name = "w", tensor = core.full({ 1 }, number) } }
    check.equal(core.safetensors_write_start(path, list, nil, options):wait(), true)
  end
  save(1)
  save(2, { keep = keep, links = { best } })
  check.equal(values(path) .. values(keep) .. values(best), "2.01.02.0")
  core.safetensors_write(path, { { name = "w", tensor = core.full({ 1 }, 3) } }, nil, { keep = keep })
  check.equal(values(path) .. values(keep) .. values(best), "3.02.02.0")
  os.remove(keep)
  os.remove(best)
end)

check("what a writer cannot do is told at its end, and what it is not given at its beginning", function()
  local list = { { name = "w", tensor = core.full({ 1 }, 1) } }
  local writer = core.safetensors_write_start(folder .. "/absent/w", list)
  local ok, message = writer:wait()
  check.equal(ok, nil)
  check.equal(message:match "absent/w: cannot open its folder: No such file or directory" ~= nil, true)
  check.equal(select("#", writer:wait()), 2)
  local start = core.safetensors_write_start
  check.raises(function() start(path, { 3 }) end, "safetensors_write_start: item 1 must be a table")
  check.raises(function() start(path, list, nil, { kep = "x" }) end, "did you mean keep")
  check.raises(function() start(path, list, nil, { keep = 3 }) end, "the path to keep the old file as must be a string")
  check.raises(function() start(path, list, nil, { links = "x" }) end, "links must be a list of paths, not string")
  check.raises(function() start(path, list, nil, { links = { true } }) end, "a path of links must be a string")
  check.raises(function() start(path, { list[1], list[1] }) end, "two tensors are called 'w'")
  check.raises(function() writer.wait(3) end, "icl.writer expected")
end)

check("a damaged file is named", function()
  local list = { { name = "w", tensor = core.full({ 4 }, 1) } }
  core.safetensors_write(path, list, { checksum = "crc32" })
  check.equal(core.safetensors_verify(path), true)
  local bytes = io.open(path, "rb"):read "a"
  local function complaint(content)
    put("damaged", content)
    local ok, message = core.safetensors_verify(folder .. "/damaged")
    check.equal(ok, nil)
    return message
  end
  check.equal(complaint(bytes:sub(1, -2) .. "\1")
    :match "/damaged is damaged: its checksum is crc32:%x+, the file says crc32:%x+$" ~= nil, true)
  check.equal(complaint(bytes:sub(1, -2)):match "cut at byte" ~= nil, true)
  check.equal(complaint "":match "not a safetensors file: it has 0 bytes" ~= nil, true)
  check.equal(select(2, core.safetensors_verify(folder .. "/absent")):match "absent: cannot open it" ~= nil, true)
  core.safetensors_write(path, list)
  check.equal(core.safetensors_verify(path), true)
  check.equal(next(select(2, core.safetensors_read(path))), nil)
  os.remove(folder .. "/damaged")
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
