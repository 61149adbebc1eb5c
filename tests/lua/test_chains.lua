-- test_chains.lua: elementwise ops on states that a step runs block by block, as one: the same values as op by op, and
-- one pass over memory. A block is 4096 elements.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local ops = icl.ops

icl.configure { threads = 2 }

-- States of a shape with the given seeds.
local function states(shape, ...)
  local list = {}
  for i, seed in ipairs { ... } do
    icl.random.seed(seed)
    list[i] = icl.state(icl.random.normal(shape))
  end
  return table.unpack(list)
end

local function flat(state)
  local values = ops.detach(state):reshape(-1):totable()
  return type(values) == "table" and values or { values }
end

-- The states after update(a, b, c), evaluated as one step, or op by op. What update returns are writes { state, value
-- }, made at the end.
local function updated(update, shape, at_once)
  local list = { states(shape, 1, 2, 3) }
  local function run()
    for _, write in ipairs(update(table.unpack(list))) do write[1]:write(write[2]) end
  end
  if at_once then run() else icl.step(run) end
  for i, state in ipairs(list) do list[i] = flat(state) end
  return list
end

local function compare(update, shape)
  local step, single = updated(update, shape), updated(update, shape, true)
  for i = 1, 3 do
    for k, value in ipairs(single[i]) do
      if not (math.abs(step[i][k] - value) <= 1e-6 * math.max(1, math.abs(value))) then
        error(("state %d, element %d: %.9g in a step, %.9g at once"):format(i, k, step[i][k], value))
      end
    end
  end
end

local function adam(p, m, v)
  local g = p:tanh() + 0.1
  local first, second = 0.9 * m + 0.1 * g, 0.9 * v:abs() + 0.1 * (g * g)
  return { { m, first }, { v, second }, { p, p - 0.1 * first / (second:sqrt() + 1e-3) } }
end

check("lengths about those of blocks and parts", function()
  for _, shape in ipairs { { 1 }, { 3 }, { 4095 }, { 4096 }, { 4097 }, { 8192 }, { 3, 1, 5, 2731 }, { 100003 }, {} } do
    compare(adam, shape)
  end
end)

check("a new version is not seen by what read the old one", function()
  compare(function(a, b, c)
    local old = a * 1.5
    return { { a, a + b }, { b, a - b * old }, { c, old * a + c } }
  end, { 9000 })
  compare(function(a, b, c)  -- exchanged
    return { { a, b * 1 }, { b, a * 1 }, { c, a + b + c } }
  end, { 9000 })
end)

check("what a chain waits for may wait for a part of it", function()
  compare(function(a, b, c)
    local u = a * b + 1
    local norm = (u * u):sum():sqrt()
    local w = u / norm + c
    local largest = w:abs():max()
    return { { a, u - 0.5 * w }, { b, w / largest }, { c, (u * w):clamp(-largest, norm) } }
  end, { 70, 201 })
end)

check("channels, comparisons, other dtypes in between", function()
  compare(function(a, b, c)
    local channel = a:sum(1)  -- of another shape
    local positive = a:gt(b)
    local half = (a * b):cast "bf16" + c
    return { { a, ops.where(positive, a, b) * channel }, { b, half:cast "f32" },
             { c, (c:cast "f64" * 2 + a):cast "f32" + positive:cast "f32" } }
  end, { 301, 33 })
end)

check("a value that is kept", function()
  local a, b = states({ 10000 }, 1, 2)
  local first, second = flat(a), flat(b)
  local sum
  icl.step(function()
    sum = (a + b):keep()
    a:write(sum * 2 - b)
    b:write(sum:exp())
  end)
  for _, k in ipairs { 1, 4096, 4097, 10000 } do
    check.near(flat(sum)[k], first[k] + second[k], 1e-6)
    check.near(flat(a)[k], 2 * first[k] + second[k], 1e-5)
  end
end)

check("an update of Adam is one pass over memory", function()
  local p, m, v = states({ 300, 41 }, 1, 2, 3)
  icl.step(function()
    for _, write in ipairs(adam(p, m, v)) do write[1]:write(write[2]) end
  end)
  local plan, items, followers = icl.describe_plan(), 0, 0
  for line in plan:gmatch "[^\n]+" do
    check.equal(line:find("(300, 41), shared", 1, true), nil)
    if line:find("(300, 41)", 1, true) then
      if line:find "^  wave" then items = items + 1 else followers = followers + 1 end
    end
  end
  check.equal(items, 2)  -- a part for each thread
  check.equal(followers > 20, true)
end)

check("the update of a weight is one chain", function()
  for _, name in ipairs { "sgd", "adam", "adabound" } do
    local w = icl.state(icl.ones { 200, 77 }, { trainable = true, name = "w" })
    local optimizer = icl.optim[name] { { parameters = { { name = "w", state = w } } } }
    icl.step(function()
      (w * 3):sum():backward()
      optimizer:step(0.1)
    end)
    local _, chains = icl.describe_plan():gsub("  wave %d thread 0 part 1/2:[^\n]*%(200, 77%)[^\n]*\n    with it", "")
    check.equal(chains, 1)
  end
end)

check.close()
