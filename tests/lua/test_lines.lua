-- test_lines.lua: which line of the recipe an op is from, as messages name it later.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local nn = icl.nn

-- The line that messages give for the last write of `state` in f().
local function line_of_write(state, f)
  local _, message = pcall(icl.step, function()
    local old = state:read()
    f()
    state:item()
    return old + 1
  end)
  return tonumber(message:match "from before the write at .-test_lines.lua:(%d+),") or message
end

local function here()
  return debug.getinfo(2, "l").currentline
end

local Counter = nn.layer "counter"

function Counter:init()
  self:buffer("seen", 0)
end

function Counter:forward(x)
  self.seen:write(self.seen + 1)
  self.line = here() - 1
  return x
end

check("ops of layers have the line of the recipe, however deep they are", function()
  local x, bn = icl.ones { 4, 2 }, nn.batch_norm(2)
  local counter, net = bn.num_batches_tracked, bn
  for _ = 1, 40 do net = nn.sequential { nn.identity(), net } end
  local line
  check.equal(line_of_write(counter, function() line = here() net(x) end), line)
  check.equal(line_of_write(counter, function()
    net(x)
    line = here() net(x) net[1](x)
  end), line)
  check.equal(line_of_write(counter, function() line = here() bn(x) end), line)
end)

check("ops of layers and functions of a recipe have their own line", function()
  local x, own, state = icl.ones { 4, 2 }, Counter(), icl.state(0)
  local net, line = nn.sequential { nn.batch_norm(2), own, nn.batch_norm(2) }, nil
  check.equal(line_of_write(own.seen, function() net(x) end), own.line)
  local with_function = nn.sequential { nn.batch_norm(2), function(y) line = here() state:write(1) return y end }
  check.equal(line_of_write(state, function() with_function(x) end), line)
  check.equal(line_of_write(state, function()
    nn.sequential { net, function(y) pcall(net, y:reshape(8)) return y end }(x)
    line = here() state:write(1)
  end), line)
  local failing = nn.sequential { nn.sequential { function() error "on purpose" end } }
  check.equal(line_of_write(net[1].num_batches_tracked, function()
    pcall(failing, x)
    line = here() net(x)
  end), line)
  check.equal(line_of_write(net[1].num_batches_tracked, function()
    coroutine.wrap(function() line = here() net(x) end)()
  end), line)
end)

check.close()
