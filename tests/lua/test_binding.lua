-- test_binding.lua: what the binding itself promises: handles, printing, messages, memory, frozen globals.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local core = require "icl.core"
local icl = require "icl"

local x = icl.tensor { { 1, 2, 3 }, { 4, 5, 9 } }

-- The shape of a list of functions that must fail, each with a text that the message must have.
local function all_raise(cases)
  for i = 1, #cases, 2 do check.raises(cases[i], cases[i + 1]) end
end

-- ---- values ----

check("values go in and come out", function()
  check.equal(table.concat(x:totable()[2], " "), "4.0 5.0 9.0")
  check.equal(math.type(icl.arange(3):totable()[1]), "integer")
  check.equal(icl.tensor({ true, false }):totable()[1], true)
  check.equal(icl.tensor(7, { dtype = "i64" }):item(), 7)
  check.equal(icl.tensor(7):totable(), 7.0)
  check.equal(icl.tensor({ 2 ^ 53 | 0, -1 }, { dtype = "i64" }):totable()[1], 1 << 53)
  check.equal(icl.tensor((1 << 62) + 1, { dtype = "i64" }):item(), (1 << 62) + 1)
  check.equal(#icl.tensor {}:totable(), 0)
  check.equal(icl.tensor({ 1, 2, 3, 4 }, { shape = { 2, 2 } }):totable()[2][1], 3)
  check.equal(icl.tensor({ 5 }, { shape = {} }):rank(), 0)
  check.equal(icl.full({ 2 }, true):dtype(), "bool")
end)

check("bytes", function()
  local bytes = string.pack("<fff", 1, 2.5, -3)
  local t = icl.tensor(bytes, { dtype = "f32" })
  check.equal(t:size(1), 3)
  check.equal(t:totable()[2], 2.5)
  check.equal(t:bytes(), bytes)
  check.equal(icl.tensor({ 1 }, { dtype = "u8" }):bytes(), "\1")
  check.equal(icl.zeros({ 0, 4 }):bytes(), "")
end)

check("questions", function()
  check.equal(#x, 2)
  check.equal(x:size(-1), 3)
  check.equal(x:count(), 6)
  check.equal(x:rank(), 2)
  check.equal(x:dtype(), "f32")
  check.equal(table.concat(x:shape(), " "), "2 3")
end)

check("arithmetic with numbers on either side", function()
  check.equal((2 - x):totable()[1][1], 1)
  check.equal((x / 2):totable()[1][1], 0.5)
  check.equal((x ^ 2):totable()[2][3], 81)
  check.equal((-x):totable()[1][2], -2)
  check.equal((x * x + 1):totable()[1][3], 10)
end)

check("== is identity", function()
  local y = x
  check.equal(x == y, true)
  check.equal(x == x * 1, false)
  check.equal(x == 1, false)
  check.equal(x:eq(x):totable()[1][1], true)
end)

check("states", function()
  local s = icl.state({ { 1, 2 } }, { name = "s", trainable = true, dtype = "f64" })
  check.equal(s.name, "s")
  check.equal(s.trainable, true)
  check.equal(s.grad, nil)
  check.equal(s:dtype(), "f64")
  check.equal(table.concat(s:shape(), " "), "1 2")
  check.equal(s:count(), 2)
  check.equal(s:rank(), 2)
  check.equal(s:size(2), 2)
  check.equal(s:bytes(), string.pack("<dd", 1, 2))
  check.equal((s * 2):totable()[1][2], 4)
  check.equal((10 - s):totable()[1][1], 9)
  s:set { { 5, 6 } }
  s:write(s + 1)
  check.equal(s:get()[1][2], 7)
  s:set(3)
  check.equal(s:get()[1][1], 3)
  s:write(icl.zeros({ 1, 2 }, "f64"), icl.tensor { 0 })
  check.equal(s:get()[1][1], 3)
  s:write(icl.zeros({ 1, 2 }, "f64"), icl.tensor { 1 })
  check.equal(s:get()[1][1], 0)
  check.equal(s:freeze().trainable, false)
  s:rename "t"
  check.equal(s.name, "t")
  local n = icl.state(icl.tensor({ 3, 4 }, { dtype = "i64" }))
  check.equal(n:dtype(), "i64")
  n:write(n + 1)
  check.equal(n:get()[2], 5)
end)

check("gradients of states in a step", function()
  local w = icl.state({ 3 }, { trainable = true })
  icl.step(function()
    local loss = (w * w):sum()
    check.near(icl.grad(loss, { w })[1]:item(), 6, 1e-6)
    loss:backward()
    check.near(w.grad:item(), 6, 1e-6)
    w:clear_grad()
    check.equal(w.grad, nil)
  end)
end)

-- ---- printing ----

check("tensors print like arrays", function()
  check.equal(tostring(x), "[[1, 2, 3],\n [4, 5, 9]]  f32 (2, 3)")
  check.equal(tostring(icl.tensor { 1.5, -20 }), "[  1.5000, -20.0000]  f32 (2)")
  check.equal(tostring(icl.tensor { true, false }), "[ true, false]  bool (2)")
  check.equal(tostring(icl.tensor(2.5)), "2.5000  f32 ()")
  check.equal(tostring(icl.zeros { 0, 3 }), "[]  f32 (0, 3)")
  check.equal(tostring(icl.tensor { 0 / 0, 1 / 0, -1 / 0 }), "[ nan,  inf, -inf]  f32 (3)")
  check.equal(tostring(icl.tensor { 1e-9, 1e6 + 0.5 }), "[1.0000e-09, 1.0000e+06]  f32 (2)")
  check.equal(tostring(icl.arange(8):reshape(2, 2, 2)),
    "[[[0, 1],\n  [2, 3]],\n\n [[4, 5],\n  [6, 7]]]  i64 (2, 2, 2)")
  check.equal(tostring(icl.arange(2000)), "[   0,    1,    2, ..., 1997, 1998, 1999]  i64 (2000)")
  check.equal(select(2, tostring(icl.zeros { 40, 40, 40 }):gsub("\n", "")) < 70, true)
  for line in tostring(icl.arange(500)):gmatch "[^\n]+" do check.equal(#line <= 120, true) end
end)

check("states print with name and values", function()
  local text = tostring(icl.state({ 1, 2 }, { name = "fc.bias", trainable = true }))
  check.equal(text, "state fc.bias, trained\n[1, 2]  f32 (2)")
end)

check("printing in a step reads, and what was not kept says so", function()
  local y, text
  icl.step(function()
    y = x * 2
    text = tostring(x:sum() + 1)
  end)
  check.equal(text, "25  f32 ()")
  check.equal(tostring(y):match "^f32 %(2, 3%) without a value: .* call keep%(%)" ~= nil, true)
end)

-- ---- handles and memory ----

local function value_bytes()
  collectgarbage()
  return icl.statistics().value_bytes
end

check("a closed tensor frees its value at once", function()
  local before = value_bytes()
  local kept
  do
    local big <close> = icl.zeros { 1000, 1000 }
    check.equal(icl.statistics().value_bytes - before, 4000000)
    kept = big
  end
  check.equal(icl.statistics().value_bytes, before)
  check.equal(tostring(kept), "a closed tensor")
  all_raise {
    function() return kept + 1 end, "was closed",
    function() return kept:item() end, "was closed",
    function() return icl.grad(x:sum(), { kept }) end, "was closed",
    function() icl.state { 1 }:write(kept) end, "was closed",
  }
end)

check("unused values are collected before they fill the memory", function()
  local most = 0
  for _ = 1, 300 do
    local _ = icl.zeros { 1024, 1024 }
    most = math.max(most, icl.statistics().value_bytes)
  end
  check.equal(most < 200 << 20, true)
end)

check("handles give back what they hold", function()
  local before = value_bytes()
  for _ = 1, 10 do
    local s = icl.state(icl.zeros { 100, 100 }, { trainable = true })
    icl.step(function() return (s * s):sum() end)
    pcall(icl.ops.conv2d, s, s)
    pcall(icl.ops.add, s, x, { nothing = 1 })
    pcall(icl.tensor, { { 1, 2 }, { 3 } })
  end
  icl.step(function() end)
  check.equal(value_bytes(), before)
end)

-- Runs f while no allocation of the core succeeds; with `relief` until the next collection of garbage.
local function without_memory(relief, f)
  collectgarbage()
  if relief then setmetatable({}, { __gc = function() core.fail_allocations(-1) end }) end
  core.fail_allocations(0)
  local result = table.pack(pcall(f))
  core.fail_allocations(-1)
  return table.unpack(result, 1, result.n)
end

check("out of memory: everything unused is collected, then it is tried again", function()
  local s = icl.state { 1 }
  local ok, y = without_memory(true, function() return x * 3 end)
  check.equal(ok and y:totable()[2][3], 27)
  check.equal(without_memory(true, function() s:set { 4 } end), true)
  check.equal(without_memory(true, function() s:write(s + 1) end), true)
  check.equal(s:get()[1], 5)
  check.equal(without_memory(true, function() return icl.zeros { 3 } end), true)
  check.equal(select(2, without_memory(true, function() return icl.state { 8 } end)):get()[1], 8)
  core.step_begin()
  s:write(s * 2)
  check.equal(without_memory(true, core.step_end), true)
  check.equal(s:get()[1], 10)
end)

check("out of memory for good is an error that leaves everything usable", function()
  local s = icl.state { 1 }
  for _, f in ipairs {
    function() return x * 3 end,
    function() return icl.zeros { 3 } end,
    function() return icl.state { 8 } end,
    function() return x + s end,
    function() s:write(s + 1) end,
    function() s:set { 2 } end,
    function() return core.permutation({ 1, 2, 3, 4 }, 1000) end,
    function() return icl.autograd.define { forward = function(_, a) return a * 1 end, backward = print }(s) end,
  } do
    local ok, message = without_memory(false, f)
    check.equal(ok, false)
    check.equal(tostring(message):find "memory" ~= nil, true)
  end
  core.step_begin()
  s:write(s * 2)
  check.equal(without_memory(false, core.step_end), false)
  check.equal(core.in_step(), false)
  check.equal(s:get()[1], 1)
  check.equal((x * 3):totable()[2][3], 27)
end)

-- ---- messages ----

check("messages name the line of the recipe", function()
  local line = debug.getinfo(1, "l").currentline + 1
  local message = check.raises(function() local y = icl.nn.conv2d(3, 4, 3)(x) return y end, "conv2d")
  check.equal(message:find(("test_binding.lua:%d: "):format(line), 1, true) ~= nil, true)
end)

check("messages name the layer", function()
  local net = icl.nn.sequential { { "body", icl.nn.sequential { { "fc", icl.nn.linear(4, 3) } } } }
  check.raises(function() net(x) end, "%(in layer body.fc%)")
end)

check("wrong tensors and wrong names", function()
  all_raise {
    function() return x + "a" end, "add: input 2 is 'a'; it must be a tensor, a state or a number",
    function() return x * {} end, "mul: input 2 is a table",
    function() return x:reluu() end, "no method 'reluu' %(did you mean relu%?%)",
    function() return icl.state { 1 }:wirte(3) end, "no method 'wirte' %(did you mean write%?%)",
    function() return icl.ops.conv(x) end, "no op 'conv' %(did you mean conv2d%?%)",
    function() return x < 1 end, "a:lt%(b%)",
    function() return x >= x end, "a:ge%(b%)",
    function() return x[true] end, "there is no such position",
    function() x[1] = 3 end, "tensors do not change by assignment",
    function() icl.state({ 1 }).weight = 3 end, "tensors do not change by assignment",
    function() return x:item() end, "one element, and this one has 6",
    function() return x:size(3) end, "no axis 3",
    function() return x:size(0) end, "no axis 0",
    function() return #icl.tensor(1) end, "rank 0",
    function() return icl.configure { treads = 2 } end, "did you mean threads",
    function() return icl.configure { threads = -1 } end, "at least 0",
    function() return icl.configure { eager = 1 } end, "true or false",
    function() return icl.configure { threads = 1000 } end, "before the first tensor",
    function() return icl.state({ 1 }, { nme = "a" }) end, "did you mean name",
    function() return icl.state({ 1 }, { dtype = "i64", trainable = true }) end, "cannot be trained",
    function() return icl.state({ 1 }, { name = "a" }):write(icl.zeros { 3 }) end, "state a is f32 %(1%)",
    function() return x:backward() end, "one element",
    function() return icl.grad(x:sum(), { 5 }) end, "entry 1 is 5",
    function() return icl.grad(x:sum(), { icl.state { 1 } }) end, "entry 1 is a state",
    function() core.no_grad_end() end, "without no_grad_begin",
    function() core.step_end() end, "had not begun",
    function() core.permutation({ 1, 2, 3 }, 5) end, "word 4",
  }
end)

check("wrong attributes", function()
  local ops = icl.ops
  all_raise {
    function() return ops.conv2d(x, x, { strid = 2 }) end, "no attribute 'strid' %(did you mean stride%?%)",
    function() return ops.conv2d(x, x, { 2 }) end, "no attribute '1'",
    function() return ops.conv2d(x, x, { stride = "2" }) end, "stride is '2'",
    function() return ops.conv2d(x, x, { stride = { 1, 2, 3 } }) end, "integer or { height, width }",
    function() return ops.conv2d(x, x, { stride = { 1, {} } }) end, "entry 2 of attribute stride is a table",
    function() return ops.conv2d(x, x, { groups = 1.5 }) end, "groups is 1.5",
    function() return ops.conv2d(x, x, { groups = 1 << 40 }) end, "groups is 1099511627776",
    function() return ops.cast(x) end, "attribute dtype is missing",
    function() return ops.cast(x, { dtype = 3 }) end, "name of a dtype",
    function() return ops.cast(x, { dtype = "f31" }) end, "no dtype 'f31'",
    function() return ops.sum(x, { keepdim = 1 }) end, "true or false",
    function() return ops.sum(x, { dims = { 1, 0 } }) end, "no axis 0",
    function() return ops.sum(x, { dims = 3 }) end, "no axis 3",
    function() return ops.sum(x, { dims = -3 }) end, "no axis %-3",
    function() return ops.reshape(x, { shape = { 1, 1, 1, 1, 1, 1, 6 } }) end, "up to 6 sizes",
    function() return ops.argmax(x, { dim = {} }) end, "an axis",
    function() return ops.pad(x, { low = { 0, 0 }, high = { 0, 0 }, value = "1" }) end, "a number",
    function() return ops.add(x, x, x, x, x, x, x, x, x) end, "9 inputs",
    function() return ops.conv2d(x) end, "takes 2 inputs, not 1",
    function() return x:narrow(1, 2, 2) end, "2 positions from 2 on do not lie within axis 1",
    function() return x:narrow(2, 0, 1) end, "from 0 on",
    function() return x:narrow(2, 1.5, 1) end, "from 1.5 on",
    function() return x:narrow(2, 1, -1) end, "narrow",
    function() return ops.sum(x, { dims = { 2, 2 } }) end, "axis 2 is given twice",
    function() return ops.concat(x, x:transpose(), { dim = 1 }) end, "but for axis 1",
    function() return ops.pad(x, { low = { 0, -1 }, high = { 0, 0 } }) end, "axis 2 must be at least 0",
  }
  check.equal(x:narrow(-1, 3, 1):totable()[2][1], 9)
  check.equal(ops.sum(x, { dims = -1 }):totable()[2], 18)
end)

check("wrong data", function()
  all_raise {
    function() return icl.tensor { { 1, 2 }, { 3 } } end, "row %[2%] has 1 entries, not 2",
    function() return icl.tensor { { 1, 2 }, 3 } end, "element %[2%] is 3; it must be a table",
    function() return icl.tensor { { 1, 2 }, { 3, {} } } end, "element %[2%]%[2%] is a table",
    function() return icl.tensor { 1, "2" } end, "element %[2%] is '2'",
    function() return icl.tensor { 1, nil, 3 } end, "element %[2%] is nil",
    function() return icl.tensor(print) end, "the value is a function",
    function() return icl.tensor() end, "the value is nil",
    function() return icl.tensor({ 1, 300 }, { dtype = "u8" }) end, "300; it must be an integer from 0 to 255",
    function() return icl.tensor({ -1 }, { dtype = "u8" }) end, "element %[1%] is %-1",
    function() return icl.tensor({ 1.5 }, { dtype = "i64" }) end, "1.5; it must be an integer",
    function() return icl.tensor({ 1 << 40 }, { dtype = "i32" }) end, "from %-2^31",
    function() return icl.tensor({ 1, 2, 3 }, { shape = { 2, 2 } }) end, "3 entries, not 4",
    function() return icl.tensor("abc", { dtype = "f32", shape = { 2 } }) end, "3 bytes for 2 elements of f32",
    function() return icl.tensor { { { { { { { 1 } } } } } } } end, "more than 6 deep",
    function() return icl.zeros { 2, -1 } end, "size 2 of the shape is %-1",
    function() return icl.zeros { 1 << 20, 1 << 20, 4 } end, "2^40",
    function() return icl.zeros { 1, 1, 1, 1, 1, 1, 1 } end, "at most 6 axes",
    function() return icl.zeros(3) end, "the shape is 3",
    function() return icl.full({ 2 }, "1") end, "the value is '1'",
    function() return icl.state { 1 }:set { 1, 2 } end, "set: the value has 2 entries, not 1",
    function() return core.json_decode '{"a": 1,}' end, "line 1, column 9",
    function() return core.json_decode '{"a": 1, "a": 2}' end, "[Dd]uplicate",
    function() return core.json_decode(("["):rep(100000)) end, "json_decode",
  }
end)

check("JSON", function()
  local value = core.json_decode '{"a": [1, 2.5, "x", true, null], "b": {"c": -3}, "d": null}'
  check.equal(math.type(value.a[1]), "integer")
  check.equal(value.a[2], 2.5)
  check.equal(value.a[3], "x")
  check.equal(value.a[4], true)
  check.equal(value.a[5], nil)
  check.equal(value.b.c, -3)
  check.equal(value.d, nil)
  check.equal(core.json_decode "5", 5)
end)

-- ---- errors that pass through the core ----

check("an error of a gradient function keeps its value, and the engine goes on", function()
  local thrown = { "a table" }
  local f = icl.autograd.define { forward = function(_, a) return a * 1 end, backward = function() error(thrown) end }
  local w = icl.state({ 1 }, { trainable = true })
  local ok, message = pcall(icl.step, function() f(w):sum():backward() end)
  check.equal(ok, false)
  check.equal(rawequal(message, thrown), true)
  check.equal(core.in_step(), false)
  local wrong = icl.autograd.define { forward = function(_, a) return a * 1 end, backward = function() return 5 end }
  check.raises(function() icl.step(function() wrong(w):sum():backward() end) end, "tensor or nil")
  local shape = icl.autograd.define { forward = function(_, a) return a * 1 end,
                                      backward = function() return icl.zeros { 2 } end }
  check.raises(function() icl.step(function() shape(w):sum():backward() end) end, "backward returned f32 %(2%)")
  icl.step(function()
    (w * 3):sum():backward()
    check.near(w.grad:item(), 3, 1e-6)
  end)
end)

check("gradient functions work in coroutines", function()
  local double = icl.autograd.define {
    forward = function(_, a) return a * 2 end, backward = function(_, g) return g * 2 end,
  }
  local w = icl.state({ 1 }, { trainable = true })
  local gradient = coroutine.wrap(function()
    return icl.step(function()
      double(w):sum():backward()
      return w.grad
    end)
  end)()
  check.near(gradient:item(), 2, 1e-6)
end)

check("core.call gives the error with its traceback and leaves the step", function()
  check.equal(select(2, core.call(function(a) return a + 1 end, 2)), 3)
  local ok, message, signal = core.call(function()
    local function inner() error "inside" end
    core.step_begin()
    core.no_grad_begin()
    inner()
    return 1
  end)
  check.equal(ok, false)
  check.equal(signal, nil)
  check.equal(message:find "inside" ~= nil and message:find "called from" ~= nil, true)
  check.equal(core.in_step(), false)
  check.raises(function() core.no_grad_end() end, "without")
end)

-- ---- frozen globals ----

check("a recipe cannot read or make globals that do not exist", function()
  local strict, above = require "icl.program.strict", 1
  strict.freeze()  -- as it is in recipes; the stock interpreter does not
  all_raise {
    function() return pritn(1) end, "no variable 'pritn' %(did you mean print%?%)",
    function() local batches = 1 return batchs + batches end, "did you mean batches",
    function() return abvoe + above end, "did you mean above",
    function() los = 1 end, "write `local los =`",
    function() function train() end end, "write `local function train`",
    function() return icl_core.x end, "no variable 'icl_core'",
  }
  check.equal(rawget(_G, "los"), nil)
  strict.thaw()
  check.equal(los, nil)
  strict.freeze()
end)

-- ---- small things ----

check("hash, clock, terminal, order", function()
  check.equal(core.hash32 "", 2166136261)
  check.equal(core.hash32 "a", 0xe40c292c)
  check.equal(core.hash32 "foobar", 0xbf9cf968)
  local before = core.clock()
  check.equal(core.clock() >= before, true)
  check.equal(math.type(core.terminal_width()), "integer")
  check.equal(type(core.isatty(0)), "boolean")
  local order = core.permutation({ 1, 2, 3, 4 }, 100):totable()
  table.sort(order)
  check.equal(order[1], 0)
  check.equal(order[100], 99)
  check.equal(core.permutation({ 1, 2, 3, 4 }, 0):count(), 0)
end)

check("the name that was probably meant", function()
  local function meant(name, ...) return core.suggestion(name, { ... }) end
  check.equal(meant("witdh", "height", "width"), " (did you mean width?)")
  check.equal(meant("conv", "concat", "conv2d"), " (did you mean conv2d?)")
  check.equal(meant("ab", "cd"), "")
  check.equal(meant("", "a"), "")
  check.equal(meant("x", "y", "xpcall"), "")
  check.equal(meant("batchs", "batch", "batches"), " (did you mean batch?)")
  check.equal(core.suggestion("bat", { cat = 1, hat = 2, bit = 3 }), " (did you mean bit?)")
end)

check("a state is set to a tensor of its shape, in its own dtype", function()
  local state = icl.state({ { 1, 2 }, { 3, 4 } }, { dtype = "bf16" })
  state:set(icl.tensor({ { 5, 6 }, { 7, 1000.5 } }, { dtype = "f64" }))
  check.equal(state:dtype(), "bf16")
  check.equal(state:get()[1][2], 6)
  check.equal(state:get()[2][2], 1000)
  state:set(state:read() * 2)
  check.equal(state:get()[2][1], 14)
  check.raises(function() state:set(icl.zeros { 2, 3 }) end, "the tensor is %(2, 3%), the state is %(2, 2%)")
  check.raises(function() state:set(icl.zeros {}) end, "the tensor is %(%), the state is %(2, 2%)")
end)

check("programs that are waited for", function()
  check.equal(core.spawn { "true" }, 0)
  check.equal(core.spawn { "sh", "-c", "exit 3" }, 3)
  check.equal(core.spawn { "sh", "-c", "kill -9 $$" }, 128 + 9)
  check.equal(core.spawn({ "sh", "-c", "test \"$ICL_A\" = 'b=c' && test -n \"$PATH\"" }, "ICL_A=b=c"), 0)
  check.raises(function() core.spawn { "/nonexistent/program" } end, "cannot run /nonexistent/program: No such file")
  check.raises(function() core.spawn {} end, "a list of words is needed")
  check.raises(function() core.spawn { "true", {} } end, "word 2 must be a string, not table")
end)

check("settings and statistics", function()
  local before = icl.statistics()
  icl.step(function() return x:sum() end)
  check.equal(icl.statistics().steps, before.steps + 1)
  check.equal(type(icl.describe_plan()), "string")
  check.raises(icl.profile, "profile")
end)

check.close()
