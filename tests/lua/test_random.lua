-- test_random.lua: random draws depend on seed, step and name alone.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local random = icl.random

local function numbers(tensor)
  return table.concat(tensor:totable(), " ")
end

check("the same seed draws the same", function()
  random.seed(7)
  local first, second = numbers(random.uniform { 4 }), numbers(random.uniform { 4 })
  check.equal(first == second, false)
  random.seed(7)
  check.equal(numbers(random.uniform { 4 }), first)
  check.equal(numbers(random.uniform { 4 }), second)
  random.seed(8)
  check.equal(numbers(random.uniform { 4 }) == first, false)
  random.seed(7 + (1 << 32))
  check.equal(numbers(random.uniform { 4 }) == first, false)
end)

check("each step draws anew, and can be repeated", function()
  random.seed(1)
  local function draw() return numbers(icl.step(function() return random.normal { 3 } end)) end
  local first, second = draw(), draw()
  check.equal(first == second, false)
  random.seed(1)
  check.equal(draw(), first)
end)

check("ranges", function()
  for _, value in ipairs(random.uniform({ 100 }):totable()) do check.equal(value >= 0 and value < 1, true) end
  local seen = {}
  for _, value in ipairs(random.randint({ 100 }, { low = 2, high = 4 }):totable()) do seen[value] = true end
  check.equal(seen[2] and seen[3] and seen[4] and not seen[1] and not seen[5], true)
  check.near(random.normal({ 4000 }):var():item(), 1, 0.1)
  check.near(random.bernoulli({ 4000 }, 0.25):float():mean():item(), 0.25, 0.03)
end)

check("words of a key are those that ops draw from", function()
  local core = require "icl.core"
  local key = { 0xa4093822, 0x299f31d0, 0x13198a2e, 0x03707344 }
  local id = icl.tensor({ 0 }, { dtype = "i64" })
  local first = icl.ops.uniform(random.key_of(table.unpack(key)), id, { shape = { 1, 4 } }):totable()[1]
  for i, word in ipairs { core.philox(key, 0) } do check.equal(first[i], (word >> 8) * 2.0 ^ -24) end
  check.raises(function() core.philox({ 1, 2, 3, -1 }, 0) end, "word 4 of the key")
  check.raises(function() core.philox({ 1, 2, 3 }, 0) end, "word 4 of the key")
  check.raises(function() core.philox({ 1, 2, 3, 4 }, 1 << 32) end, "from 0 to 2%^32 %- 1")
end)

check("a seed must be an integer", function()
  check.raises(function() random.seed(1.5) end, "not an integer")
end)

check.close()
