-- test_coroutines.lua: steps, loops and scopes in coroutines that end, fail, or are never resumed.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"

local set = icl.data.generate(48, function(k) return icl.full({ 8, 8, 1 }, k, "u8"), k % 4 end,
  { classes = 4, mean = { 0.35 }, std = { 0.2 } })

local function loader(training)
  return icl.data.loader(set, { batch_size = 16, training = training })
end

check("a step whose coroutine died is dropped", function()
  local s = icl.state { 1 }
  local thread = coroutine.create(function()
    icl.step(function()
      s:write(s + 1)
      error "in the step"
    end)
  end)
  coroutine.resume(thread)
  check.equal((s + 1):item(), 2)
  icl.step(function() s:write(s + 5) end)
  check.equal(s:read():item(), 6)
end)

check("a step in a coroutine that nobody resumes is dropped", function()
  local s = icl.state { 1 }
  coroutine.wrap(function()
    icl.no_grad(function()
      icl.step(function()
        s:write(s + 1)
        coroutine.yield()
      end)
    end)
  end)()
  icl.step(function() s:write(s + 5) end)
  check.equal(s:read():item(), 6)
end)

check("a step that yielded may be ended, or dropped with its coroutine", function()
  local s = icl.state { 1 }
  local function thread()
    return coroutine.create(function() icl.step(function() coroutine.yield(s:write(s + 1)) end) end)
  end
  local first = thread()
  coroutine.resume(first)
  check.raises(function() icl.step(function() end) end, "a step cannot begin: the step of .*test_coroutines.lua:%d+ is still "
    .. "open, because its coroutine yielded inside it; resume .* coroutine.close%(%)")
  check.raises(function() icl.nn.relu():save(os.tmpname()) end, "save: the step of .* is still open")
  coroutine.resume(first)
  check.equal(s:read():item(), 2)
  local second = thread()
  coroutine.resume(second)
  coroutine.close(second)
  icl.step(function() s:write(s + 5) end)
  check.equal(s:read():item(), 7)
end)

check("a coroutine that failed in a step, and is closed in another one's, leaves that alone", function()
  local s = icl.state { 1 }
  local function failed(f)
    local thread = coroutine.create(function() f(error) end)
    coroutine.resume(thread)
    return thread
  end
  local in_step, in_scope = failed(icl.step), failed(icl.no_grad)
  local first, second
  local function draw(between)
    icl.random.seed(1)
    icl.step(function()
      s:write(s + 10)
      first = icl.random.uniform { 1 }:keep()
      between()
      second = icl.random.uniform { 1 }:keep()
      s:write(s + 100)
    end)
    return first:item() + 2 * second:item()
  end
  local expected = draw(function() end)
  check.equal(draw(function()
    coroutine.close(in_step)
    check.equal(coroutine.close(in_scope), false)
  end), expected)
  check.equal(s:item(), 221)
  local x = icl.tensor({ 1, 2 }):requires_grad()
  in_scope = failed(icl.no_grad)
  icl.no_grad(function()
    local _, message = coroutine.close(in_scope)
    check.equal(message, nil)
    check.raises(function() (x * x):sum():backward() end, "depends on nothing that is trained")
  end)
  check.equal(icl.grad((x * x):sum(), { x })[1]:totable()[2], 4)
end)

check("scopes without gradients end with their coroutine", function()
  local x = icl.tensor({ 1, 2 }):requires_grad()
  coroutine.wrap(function() icl.no_grad(coroutine.yield) end)()
  collectgarbage()
  check.equal(icl.grad((x * x):sum(), { x })[1]:totable()[2], 4)
  coroutine.resume(coroutine.create(function() icl.no_grad(error) end))
  check.equal(icl.grad((x * x):sum(), { x })[1]:totable()[2], 4)
  local thread = coroutine.create(function() icl.no_grad(coroutine.yield) end)
  icl.no_grad(function()
    coroutine.resume(thread)
    coroutine.resume(thread)
    check.raises(function() (x * x):sum():backward() end, "depends on nothing that is trained")
  end)
  check.equal(icl.grad((x * x):sum(), { x })[1]:totable()[2], 4)
end)

check("a loop over batches may be a coroutine", function()
  local run = icl.run { epochs = 1 }
  local loader = icl.data.loader(set, { batch_size = 16 })
  local function batches()
    return coroutine.wrap(function()
      for batch in run:batches(loader) do coroutine.yield(batch) end
    end)
  end
  local seen = 0
  for batch in batches() do seen = seen + batch:size() end
  check.equal(seen, set.count)
  batches()()
  check.raises(function() icl.run { epochs = 0 } end, "epochs is 0")
  check.raises(function() icl.run { output = 5 } end, "icl.run: output: it takes the path of a folder, not 5")
  check.raises(function() icl.run { sinks = 5 } end, "icl.run: sinks: it takes a list of sinks, not 5")
  check.raises(function() icl.run { options = 5 } end, "icl.run: options: it takes the options of a command line, not")
  check.raises(function() icl.run {}:batches(5) end, "run:batches: it takes a loader, not 5")
  for _ in run:batches(loader) do break end
  icl.step(function() end)
end)

check("a loop whose coroutine is closed was not left", function()
  local run, training = icl.run { epochs = 2 }, loader(true)
  local passes, yields = 0, true
  local function work()
    for _ in run:epochs() do
      for _ in run:batches(training) do
        if yields and run.step == 1 then coroutine.yield() end
        passes = passes + 1
      end
    end
  end
  local thread = coroutine.create(work)
  coroutine.resume(thread)
  coroutine.close(thread)
  check.equal(("%d %d %d %s"):format(passes, run.step, run.epoch, run.ending.state), "1 1 1 stopped")
  yields = false
  work()
  check.equal(("%d %d %s"):format(passes, run.step, run.ending.state), "6 6 finished")
end)

check("a module that yields leaves no name behind", function()
  local Yielding = icl.nn.layer "yielding"
  function Yielding:forward() coroutine.yield() end
  local net = icl.nn.sequential { Yielding() }
  local thread = coroutine.create(function() icl.step(function() net(1) end) end)
  check.equal(coroutine.resume(thread), true)
  check.equal(coroutine.status(thread), "suspended")
  check.equal(require "icl.internal.scope".path(), "")
  thread = nil
  icl.step(function() end)
  local message = check.raises(function() return icl.zeros { 2 } + icl.zeros { 3 } end, "add: ")
  check.equal(message:find("in layer", 1, true), nil)
end)

check.close()
