-- test_sampling.lua: which images an epoch takes, and sets made of others.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local augment, data = icl.augment, icl.data

-- n images of 4 x 4 pixels of the value k - 1; of four images one is of class 1, the others of class 0.
local function make_set(n, classes)
  return data.generate(n, function(k)
    return icl.full({ 4, 4, 1 }, k - 1, "u8"), k % 4 == 0 and 1 or 0
  end, { classes = classes or 2, mean = { 0.5 }, std = { 0.25 } })
end

local set = make_set(40)

local function epoch(loader, number)
  local all, ids = {}, {}
  for index, _, _, fields in loader:indices(number) do
    local id = fields.id
    table.move(index:totable(), 1, index:size(1), #all + 1, all)
    if id then table.move(id:totable(), 1, id:size(1), #ids + 1, ids) end
  end
  return all, ids
end

local function text(list) return table.concat(list, " ") end

local function train(options, of)
  options.training, options.batch_size = true, options.batch_size or 10
  return data.loader(of or set, options)
end

check("a balanced epoch has as many of each class, the same for the same seed and epoch", function()
  icl.random.seed(1)
  local loader, counts = train { balanced = true }, { [0] = 0, [1] = 0 }
  for number = 1, 30 do
    for _, image in ipairs((epoch(loader, number))) do
      local class = image % 4 == 3 and 1 or 0
      counts[class] = counts[class] + 1
    end
  end
  check.near(counts[1] / 1200, 0.5, 0.05)
  local first = text((epoch(loader, 1)))
  check.equal(text((epoch(train { balanced = true }, 1))), first)
  check.equal(text((epoch(loader, 2))) == first, false)
end)

check("weights: images of weight 0 never come, others in proportion", function()
  icl.random.seed(2)
  local weights = {}
  for i = 1, 40 do weights[i] = i == 5 and 3 or i == 9 and 1 or 0 end
  local counts = {}
  for _, given in ipairs { weights, icl.tensor(weights) } do
    for number = 1, 20 do
      for _, image in ipairs((epoch(train { weights = given }, number))) do
        counts[image] = (counts[image] or 0) + 1
      end
    end
  end
  check.equal(counts[4] + counts[8], 1600)
  check.near(counts[4] / 1600, 0.75, 0.04)
end)

check("weights of a part of a set are those of its images", function()
  local part = data.part(set, icl.tensor({ 30, 31, 32, 33 }, { dtype = "i64" }))
  local found = epoch(train({ weights = { 0, 1, 0, 0 }, batch_size = 2 }, part), 1)
  check.equal(text(found), "31 31 31 31")
  local seen = {}
  for number = 1, 20 do
    for _, image in ipairs((epoch(train({ balanced = true, batch_size = 2 }, part), number))) do
      seen[image] = (seen[image] or 0) + 1
    end
  end
  check.near(seen[31] / 80, 0.5, 0.15)
end)

check("repeats: fewer images, each so many times in a row", function()
  local loader = train { repeats = 3 }
  local found, ids = epoch(loader, 1)
  check.equal(#found, 40)
  local distinct = {}
  for i = 1, 40 do
    check.equal(found[i], found[(i - 1) // 3 * 3 + 1])
    check.equal(ids[i], found[i] + (i - 1) % 3 * 40)
    distinct[found[i]] = true
  end
  local count = 0
  for _ in pairs(distinct) do count = count + 1 end
  check.equal(count, 14)
end)

check("an image that comes again is augmented anew, also in parts of a batch and under a partner", function()
  icl.random.seed(3)
  local noise = function(batch, rng) batch.image = batch.image:float() * 0 + rng:normal(batch.image:shape()) end
  local loader = train { weights = { 1, table.unpack(icl.zeros { 39 }:totable()) }, chain = augment.chain { noise } }
  for index, number, decoded, id in loader:indices(1) do
    local batch = loader:batch(index, 1, number, decoded, nil, id)
    local rows = batch.image:mean { 2, 3, 4 }:totable()
    for i = 2, #rows do check.equal(rows[i] ~= rows[1], true) end
    local parts = {}
    for _, part in ipairs(loader:batch(index, 1, number, decoded, nil, id):chunks(3)) do
      for _, mean in ipairs(part.image:mean { 2, 3, 4 }:totable()) do parts[#parts + 1] = mean end
    end
    check.equal(text(parts), text(rows))
  end
  local plain = train { chain = augment.chain { noise } }
  local index = icl.tensor({ 7, 7 }, { dtype = "i64" })
  local same = plain:batch(index, 1).image:mean { 2, 3, 4 }:totable()
  check.equal(same[1], same[2])
end)

check("what cannot be sampled is an error", function()
  check.raises(function() train { weights = { 1, 2 } } end, "2 weights for 40 images")
  check.raises(function() train { weights = icl.zeros { 40 } } end, "all weights are 0")
  local huge = {}
  for i = 1, 40 do huge[i] = 1e308 end
  check.raises(function() train { weights = huge } end, "the sum of the weights is too large")
  check.raises(function() train { weights = icl.ones { 40 } * -1 } end, "weight 1 is %-1")
  check.raises(function() train { weights = 3 } end, "a list or a tensor")
  check.raises(function() train { weights = icl.ones { 40 }, balanced = true } end, "give one of them")
  check.raises(function() train { repeats = 0 } end, "repeats")
  check.raises(function() data.loader(set, { balanced = true }) end, "are for training = true")
end)

check("batches without a run", function()
  local loader = data.loader(set, { batch_size = 16 })
  check.equal(loader:first().image:size(1), 16)
  local sizes, first = {}, nil
  for batch in loader:each() do
    sizes[#sizes + 1] = batch:size()
    first = first or batch.target:totable()
  end
  check.equal(text(sizes), "16 16 8")
  check.equal(text(first), "0 0 0 1 0 0 0 1 0 0 0 1 0 0 0 1")
  check.raises(function() loader:each(0) end, "epoch")
end)

-- ---- sets of other sets ----

check("sets put together, and a part of one", function()
  local odd = data.part(set, icl.tensor({ 1, 3, 5 }, { dtype = "i64" }))
  local both = data.concat { odd, make_set(5) }
  check.equal(both.count, 8)
  check.equal(both.classes, 2)
  check.equal(text(both.labels:totable()), "0 1 0 0 0 0 1 0")
  local values = {}
  for i, image in ipairs(both.images:totable()) do values[i] = image[2][3][1] end
  check.equal(text(values), "1 3 5 0 1 2 3 4")
  check.equal(data.concat { set, set, set, set, set, set, set, set, set, set }.count, 400)
end)

check("a part is of images that are there", function()
  local function refused(pattern, ...)
    local given = table.pack(...)
    check.raises(function() data.part(table.unpack(given)) end, pattern)
  end
  local function numbers(list) return icl.tensor(list, { dtype = "i64" }) end
  refused("icl.data.part: this table is no set of images", {}, numbers { 0 })
  refused("indices are from 0 to 40; the set has 40 images, which count from 0", set, numbers { 0, 40 })
  refused("indices are from %-1 to 3", set, numbers { 3, -1 })
  refused("indices are f32 %(1%); they must be i64 %(n%)", set, icl.tensor { 1 })
  refused("indices are i64 %(1, 1%)", set, numbers { { 1 } })
  local few = data.part(set, numbers { 7, 8 })
  refused("the set has 2 images", few, numbers { 2 })
  check.equal(text(data.part(few, numbers { 1 }).indices:totable()), "8")
  check.equal(data.part(set, icl.arange(0)).count, 0)
end)

check("what cannot be put together is an error", function()
  check.raises(function() data.concat {} end, "a list of sets")
  check.raises(function() data.concat { set, 3 } end, "item 2 is 3")
  check.raises(function() data.concat { set, make_set(5, 3) } end, "set 2 has images of %(4, 4, 1%) in 3 classes")
  local function named(...) return setmetatable({ class_names = { ... } }, { __index = set }) end
  check.equal(data.concat { named("a", "b"), set, named("a", "b") }.class_names[2], "b")
  check.raises(function() data.concat { named("a", "b"), named("a", "c") } end,
    "set 2 has other classes than the first one: it lacks b; it has besides c")
  check.raises(function() data.concat { named("a", "b"), named("b", "a") } end,
    "set 2 has the classes in another order: b, a, in the first one a, b")
  check.raises(function() data.concat({ set }, { set }) end, "a table is an argument too many")
end)

check("a set from a function", function()
  check.equal(set.count, 40)
  check.equal(text(set.shape), "4 4 1")
  local options = { classes = 2, mean = { 0 }, std = { 1 } }
  local function image(size, dtype) return icl.zeros({ size, size, 1 }, dtype or "u8") end
  check.raises(function() data.generate(3, function(i) return image(i), 0 end, options) end, "image 2 is %(2, 2, 1%)")
  check.raises(function() data.generate(3, function() return image(2, "f32"), 0 end, options) end, "image 1 is f32")
  check.raises(function() data.generate(3, function() return image(2), 5 end, options) end, "has the label 5")
  check.raises(function() data.generate(3, function() return image(2) end, options) end, "label 1")
  check.raises(function() data.generate(3, function() return 3, 1 end, options) end, "image 1")
  check.raises(function() data.generate(3, function() return image(2), 0 end) end, "a table of options")
end)

-- ---- beside the batches of a loop ----

check("a cycle goes from epoch to epoch, behind what was taken", function()
  local loader = train { batch_size = 16 }  -- two batches an epoch
  local function cycle(done, count, f)
    icl.random.seed(6)
    local next_batch, list = loader:cycle(done), {}
    for k = 1, count do list[k] = text(f(function() return next_batch().index end):totable()) end
    return text(list)
  end
  local whole = cycle(0, 7, icl.step)
  check.equal(cycle(0, 7, function(f) return f() end), whole)
  for done = 1, 6 do
    local rest = cycle(done, 7 - done, icl.step)
    check.equal(whole:sub(-#rest), rest)
  end
  check.raises(function() loader:cycle(-1) end, "loader:cycle: done is %-1; it must be an integer of at least 0")
end)

-- Two epochs over a part of the set, and beside them another part in other batches; an error ends the pass `failing`,
-- and the loops are entered again. -> what each pass had, and the images that it had beside its own.
local function train_beside(failing)
  icl.random.seed(7)
  local chain = augment.chain { augment.random_crop { padding = 2 }, augment.normalize {} }
  local rest, some = data.split(set, 0.25)
  local loader = train({ batch_size = 6, chain = chain }, rest)
  local other = train({ batch_size = 4, chain = chain }, some)
  local run, seen, besides = icl.run { epochs = 2 }, {}, {}
  local function loops()
    for _ in run:epochs() do
      local next_batch = other:cycle(run.step)
      for batch in run:batches(loader) do
        local beside = next_batch()
        if run.step == failing then
          failing = nil
          error "enough"
        end
        besides[run.step + 1] = beside.index:totable()
        seen[run.step + 1] = ("%s | %s | %s"):format(text(batch.index:totable()), text(beside.index:totable()),
          text(beside.image:sum({ 2, 3, 4 }):totable()))
      end
    end
  end
  if failing then check.raises(loops, "enough") end
  loops()
  return table.concat(seen, "\n"), besides
end

check("a loop takes batches of another loader beside its own, and goes on with the same", function()
  local whole, besides = train_beside(nil)
  check.equal(#besides, 10)
  for k = 1, 10, 2 do  -- two batches are an epoch, also where one of the loop begins between them
    local images = {}
    for _, list in ipairs { besides[k], besides[k + 1] } do
      for _, image in ipairs(list) do
        check.equal(images[image], nil)
        images[image] = true
      end
    end
  end
  for _, failing in ipairs { 0, 3, 5, 7 } do check.equal((train_beside(failing)), whole) end
end)

check("a cycle outlives a step that fails, and no two draw the same", function()
  local rest = data.split(set, 0.5)
  local loader = train({ batch_size = 8 }, rest)
  local next_batch = loader:cycle()
  check.raises(function()
    icl.step(function()
      next_batch()
      error "enough"
    end)
  end, "enough")
  check.equal(icl.step(function() return next_batch().index end):size(1), 8)
  local orders, run = {}, icl.run {}
  for k, cycle in ipairs { loader:cycle(), loader:cycle() } do orders[k] = text(cycle().index:totable()) end
  for _ in run:epochs() do orders[3] = text(loader:cycle()().index:totable()) end
  check.equal(orders[1] ~= orders[2] and orders[1] ~= orders[3] and orders[2] ~= orders[3], true)
end)

check("another loader gives another view of the same images", function()
  local chain = augment.chain { augment.random_crop { padding = 2 }, augment.normalize {} }
  local loader, other = train { chain = chain }, train { chain = chain }
  local run, same = icl.run {}, 0
  for _ in run:epochs() do
    for batch in run:batches(loader) do
      local differ = (other:batch(batch.index, batch.epoch).image - batch.image):abs():max { 2, 3, 4 }
      same = same + differ:eq(0):float():sum():item()
    end
  end
  check.equal(same < 20, true)
end)

check.close()
