-- test_random.lua: random draws depend on seed, step and name alone.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local places = require "icl.internal.places"
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

check("a step that a coroutine left behind takes its place along", function()
  local function draw() return numbers(icl.step(function() return random.normal { 3 } end)) end
  random.seed(1)
  draw()
  local second = draw()
  random.seed(1)
  coroutine.wrap(function() icl.step(coroutine.yield) end)()
  check.equal(draw(), second)
  check.equal((places.current()), "")
end)

check("ranges", function()
  for _, value in ipairs(random.uniform({ 100 }):totable()) do check.equal(value >= 0 and value < 1, true) end
  local seen = {}
  for _, value in ipairs(random.randint(2, 4, { 100 }):totable()) do seen[value] = true end
  check.equal(seen[2] and seen[3] and seen[4] and not seen[1] and not seen[5], true)
  check.near(random.normal({ 4000 }):var():item(), 1, 0.1)
  check.near(random.bernoulli(0.25, { 4000 }):float():mean():item(), 0.25, 0.03)
end)

check("parameters of a draw come before its shape, in a chain as elsewhere", function()
  for _, draws in ipairs { random, require "icl.augment.rng" ({ id = icl.arange(3) }) } do
    if draws ~= random then draws:enter(1, "own") end
    local what = draws == random and "icl%.random%." or "rng:"
    local function draw(name, ...)
      if draws == random then return random[name](...) end
      return draws[name](draws, ...)
    end
    check.equal(numbers(draw("randint", 7, 7, { 3 })), "7 7 7")
    check.equal(draw("bernoulli", 1, { 3 }):all():item(), true)
    local function refused(pattern, ...)
      local given = table.pack(...)
      check.raises(function() draw(table.unpack(given, 1, given.n)) end, what .. pattern)
    end
    refused("randint: the shape is the last of low, high and shape, .*randint%(0, 9, { 3 }%)", "randint", { 3 },
      { low = 0, high = 9 })
    refused("randint: the shape is the last", "randint", 10, { 3 })
    refused("randint: high is 1; it must be an integer from 2", "randint", 2, 1, { 3 })
    refused("randint: low is 0.5", "randint", 0.5, 1, { 3 })
    refused("randint: a table is an argument too many", "randint", 0, 1, { 3 }, {})
    refused("bernoulli: the shape is the last of p and shape: .*bernoulli%(0.5, { 3 }%)", "bernoulli", { 3 }, 0.5)
    refused("bernoulli: p is 1.5; it is the probability", "bernoulli", 1.5, { 3 })
    refused("bernoulli: p is %-?nan", "bernoulli", 0 / 0, { 3 })
    refused("bernoulli: p is missing", "bernoulli", nil, { 3 })
  end
end)

check("numbers and orders for Lua", function()
  random.seed(3)
  local order, number, share = random.permutation(20), random.number(), random.beta(0.5)
  check.equal(order:dtype(), "i64")
  local sorted = order:totable()
  table.sort(sorted)
  check.equal(table.concat(sorted, " "), numbers(icl.arange(20)))
  check.equal(numbers(order) == numbers(icl.arange(20)), false)
  check.equal(numbers(random.permutation(20)) == numbers(order), false)
  check.equal(number > 0 and number < 1 and share > 0 and share < 1, true)
  check.equal(random.number() == number, false)
  random.seed(3)
  check.equal(numbers(random.permutation(20)), numbers(order))
  check.equal(random.number(), number)
  check.equal(random.beta(0.5), share)
  local sum = 0
  for _ = 1, 2000 do sum = sum + random.number() / 2000 end
  check.near(sum, 0.5, 0.03)
  check.raises(function() random.permutation(-1) end, "icl.random.permutation: n is %-1")
  check.raises(function() random.beta(0) end, "icl.random.beta: a is 0")
end)

check("words of a key are those that ops draw from", function()
  local core = require "icl.core"
  local key = { 0xa4093822, 0x299f31d0, 0x13198a2e, 0x03707344 }
  local id = icl.tensor({ 0 }, { dtype = "i64" })
  local first = icl.ops.uniform(places.key_of(table.unpack(key)), id, { shape = { 1, 4 } }):totable()[1]
  for i, word in ipairs { core.philox(key, 0) } do check.equal(first[i], (word >> 8) * 2.0 ^ -24) end
  check.raises(function() core.philox({ 1, 2, 3, -1 }, 0) end, "word 4 of the key")
  check.raises(function() core.philox({ 1, 2, 3 }, 0) end, "word 4 of the key")
  check.raises(function() core.philox({ 1, 2, 3, 4 }, 1 << 32) end, "from 0 to 2%^32 %- 1")
end)

-- ---- all keys of a program ----

local function small_set(count)
  local images, labels = {}, {}
  for k = 1, count do images[k], labels[k] = (":" .. k):rep(32):sub(1, 32), k % 2 end
  return icl.data.set { images = icl.tensor(table.concat(images), { dtype = "u8", shape = { count, 4, 8, 1 } }),
                        labels = icl.tensor(labels, { dtype = "i64" }), classes = 2, mean = { 0.5 }, std = { 0.2 } }
end

-- Two runs over training and evaluation with draws everywhere: first weights, outside of steps, in both kinds of steps,
-- dropout in evaluation too, augmentation of images and of batches.
local function program()
  random.seed(3)
  random.normal { 2 }
  local train, rest = icl.data.split(small_set(20), 0.25)
  icl.data.split(train, 0.5)
  local model = icl.nn.sequential { icl.nn.conv2d(1, 2, 3), icl.nn.dropout(0.5), icl.nn.global_avg_pool(),
                                    icl.nn.linear(2, 2) }
  local augment = icl.augment
  local chain = augment.chain { augment.random_crop { padding = 1 }, augment.hflip {}, augment.normalize {},
                                augment.cutout { size = 2, prob = 0.5 }, augment.mixup {},
                                function(batch, rng) batch.image = batch.image + rng:normal(batch.image:shape()) end }
  local loader = icl.data.loader(train, { batch_size = 4, training = true, chain = chain })
  local second = icl.data.loader(rest, { batch_size = 2, training = true })
  local optimizer, weights = icl.optim.sgd(model), {}
  icl.step(function() return random.normal { 2 } end)
  for _ = 1, 2 do
    local run = icl.run { epochs = 2 }
    for _ in run:epochs() do
      random.uniform { 2 }
      for batch in run:batches(loader) do
        random.normal { 2 }
        icl.loss.cross_entropy(model(batch.image), batch.target):backward()
        optimizer:step(0.1)
      end
      for _ = 1, 2 do
        for batch in run:batches(second) do run:log { loss = model(batch.image):sum() } end
      end
      icl.step(function() return random.normal { 2 }, random.normal { 2 } end)
    end
    random.normal { 2 }
  end
  for i, entry in ipairs(model:named_states()) do weights[i] = entry.state:bytes() end
  return table.concat(weights)
end

-- Runs f; -> who drew with each key. Draws of a stage for its images have one key in a loop, in which each image has
-- numbers of its own, and those for a batch one for the parts of it; whatever else is drawn has its own.
local function owners_of_keys(f)
  local original, owners, draws = places.words, {}, 0
  local restore <close> = setmetatable({}, { __close = function() places.words = original end })
  places.words = function(name, number, at)
    local words = original(name, number, at)
    local key, place = table.concat(words, " "), at or table.concat({ places.current() }, " ")
    draws = draws + 1
    local owner = ("%s %s %s"):format(place, name, name:find "^augment" and number or "draw " .. draws)
    if owners[key] and owners[key] ~= owner then
      error(("one key for %s and %s"):format(owners[key], owner), 0)
    end
    owners[key] = owner
    return words
  end
  f()
  return owners, draws
end

check("no two draws of a program have the same key", function()
  local _, draws = owners_of_keys(program)
  check.equal(draws > 150, true)
end)

check("a program that is repeated gets the same keys and ends with the same bytes", function()
  local first, second, bytes, again
  first = owners_of_keys(function() bytes = program() end)
  second = owners_of_keys(function() again = program() end)
  for key, owner in pairs(first) do check.equal(second[key], owner) end
  check.equal(bytes == again, true)
end)

check("what is drawn behind a run does not depend on how many epochs it had", function()
  local function behind(epochs)
    random.seed(1)
    random.number()
    local loader = icl.data.loader(small_set(8), { batch_size = 2, training = true })
    local first = icl.run { epochs = epochs }
    for epoch in first:epochs() do
      for _ in first:batches(loader) do random.number() end
      if epoch == 4 then break end
    end
    local drawn, second = { places.current(), random.number() }, icl.run {}
    for _ in second:epochs() do
      drawn[#drawn + 1] = places.current()
      for batch in second:batches(loader) do drawn[#drawn + 1] = table.concat(batch.index:totable(), " ") end
    end
    return table.concat(drawn, ", ")
  end
  local once = behind(1)
  check.equal(once:match "run1.epoch1", "run1.epoch1")
  for epochs = 2, 5 do check.equal(behind(epochs), once) end
end)

check("a loop that is left early or by an error ends its place", function()
  random.seed(1)
  local run = icl.run {}
  for _ in run:epochs() do
    local loader = icl.data.loader(small_set(8), { batch_size = 2 })
    for _ in run:batches(loader) do break end
    check.equal(places.current(), "run0.epoch1")
    pcall(function()
      for _ in run:batches(loader) do error "left" end
    end)
    check.equal(places.current(), "run0.epoch1")
    pcall(icl.step, error)
    check.equal(places.current(), "run0.epoch1")
  end
end)

check("a seed must be an integer", function()
  check.raises(function() random.seed(1.5) end, "not an integer")
end)

check("what would be ignored is an error", function()
  check.raises(function() random.seed(1, 2) end, "icl.random.seed: 2 is an argument too many")
end)

check.close()
