-- test_processes.lua: the bookkeeping of several processes that train together, each played by this one in turn: who
-- has which images, what is drawn for them, and what becomes of figures. Real processes are in tests/cli.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local parts = require "icl.fit.parts"
local part = require "icl.internal.part"
local processes = require "icl.internal.processes"
local spread = require "icl.internal.spread"

-- A group in which this process has a rank. `heard` are the texts that ranks gave to gather in an earlier turn, those
-- of one call after those of the other; what is given now goes into `said`.
local function group_of(rank, size, heard, said)
  local group, calls = {}, 0
  function group.rank() return rank end
  function group.size() return size end
  function group.host() return "here" end
  function group.barrier() end
  function group.broadcast(_, text) return text end
  function group.abort() end
  function group.sum(_, list)  -- told by gather, as the others' numbers are known in a second turn alone
    local sums = {}
    for _, text in ipairs(group:gather(("<" .. ("d"):rep(#list)):pack(table.unpack(list)))) do
      for i = 1, #list do sums[i] = (sums[i] or 0) + ("<d"):unpack(text, 8 * i - 7) end
    end
    return sums
  end
  function group.gather(_, text)
    calls = calls + 1
    if said then said[calls] = text end
    local all = {}
    for i = 1, size do all[i] = heard and heard[i] and heard[i][calls] or text end
    return all
  end
  return group
end

-- What f returns while this process is one of several.
local function as(rank, size, f, heard, said)
  processes.use(group_of(rank, size, heard, said))
  local alone <close> = setmetatable({}, { __close = function() processes.use(nil) end })
  return f(rank)
end

local function make_set(count)
  local bytes, labels = {}, {}
  for k = 1, count * 64 do bytes[k] = string.char((k * k + k // 64 * 31) % 251) end
  for k = 1, count do labels[k] = k % 6 end
  return icl.data.set { images = icl.tensor(table.concat(bytes), { dtype = "u8", shape = { count, 8, 8, 1 } }),
                        labels = icl.tensor(labels, { dtype = "i64" }), classes = 6, mean = { 0.5 }, std = { 0.2 } }
end

local function bytes_of(list)
  for i, x in ipairs(list) do list[i] = x:bytes() end
  return table.concat(list)
end

check("every image has one process, and shares differ by little", function()
  for count = 1, 40 do
    for n = 1, 9 do
      local behind, least, most = 0, math.huge, 0
      for k = 0, n - 1 do
        local first, length = spread.share(count, n, k)
        check.equal(first, behind)
        behind, least, most = first + length, math.min(least, length), math.max(most, length)
      end
      check.equal(behind, count)
      check.equal(#spread.parts(count, n), math.min(count, n))
      check.equal(least > 0, count >= n)
      check.equal(most - least <= 1, true)
    end
  end
end)

-- The numbers of the images in the batches of an epoch, as the loader of a rank gives them.
local function batches_of(rank, size, set, options, epoch)
  return as(rank, size, function()
    local list = {}
    for index, number in icl.data.loader(set, options):indices(epoch) do list[number] = index:totable() end
    return list
  end)
end

check("processes have the batches of one process, in its order, unequal rests included", function()
  local cases = { { 41, 12, true }, { 41, 12, false }, { 29, 12, false }, { 12, 12, false }, { 53, 7, false } }
  for _, case in ipairs(cases) do
    local count, global, drop_last = table.unpack(case)
    local set = make_set(count)
    local options = { global_batch_size = global, training = true, drop_last = drop_last }
    for size = 2, 4 do
      for epoch = 1, 2 do
        local whole = batches_of(0, 1, set, { batch_size = global, training = true, drop_last = drop_last }, epoch)
        local joined = {}
        for rank = 0, size - 1 do
          for number, list in pairs(batches_of(rank, size, set, options, epoch)) do
            joined[number] = joined[number] or {}
            table.move(list, 1, #list, #joined[number] + 1, joined[number])
          end
        end
        check.equal(#joined, #whole)
        for number, list in ipairs(whole) do
          check.equal(table.concat(joined[number], " "), table.concat(list, " "))
        end
      end
    end
  end
end)

check("batch_size is that of each process, global_batch_size that of all", function()
  local set = make_set(60)
  as(1, 3, function()
    local own = icl.data.loader(set, { batch_size = 8, training = true })
    check.equal(own.global_batch_size, 24)
    check.equal(own.batches, 2)
    local all = icl.data.loader(set, { global_batch_size = 20, training = true })
    check.equal(all.batch_size, 7)
    check.equal(all.batches, 3)
    check.equal(icl.data.loader(set, { batch_size = 8 }).batches, 8)
    check.raises(function() icl.data.loader(set, { global_batch_size = 2, training = true }) end,
      "global_batch_size 2 is less than one image for each of 3 processes")
    check.raises(function() icl.data.loader(set, { global_batch_size = 59, training = true, drop_last = false }) end,
      "the last batch of 60 images has 1, which is not one for each of 3 processes")
  end)
end)

check("64 processes: every image once an epoch, the same rate, and parts that batch norm can work on", function()
  local count, size, seen, steps = 64 * 9 + 130, 64, {}, nil
  local set = make_set(count)
  for rank = 0, size - 1 do
    as(rank, size, function()
      local loader = icl.data.loader(set, { batch_size = 3, training = true, drop_last = false })
      steps = steps or loader.batches
      check.equal(loader.batches, steps)
      for index, number in loader:indices(1) do
        if number < steps then check.equal(index:size(1), 3) end
        for _, image in ipairs(index:totable()) do seen[image] = (seen[image] or 0) + 1 end
      end
    end)
  end
  for image = 0, count - 1 do check.equal(seen[image], 1) end
  check.equal(parts.smallest(count, { batch_size = 192, ranks = size, subdivision = 1, drop_last = false }), 2)
  check.equal(parts.smallest(count, { batch_size = 192, ranks = size, subdivision = 1, drop_last = true }), 3)
end)

-- ---- draws ----

local Noise = icl.nn.layer "noise"

function Noise:forward(x)
  local shape = { x:size(1), 1, 1, x:size(4) }
  return x * icl.random.uniform(shape) + icl.random.normal(shape) * icl.random.bernoulli(0.5, shape):float()
    + icl.random.randint(0, 9, shape):float()
end

local drawing = {
  dropout = icl.nn.dropout(0.4), dropout2d = icl.nn.dropout2d(0.4), drop_path = icl.nn.drop_path(0.4), noise = Noise(),
  ["dropout behind a layer"] = icl.nn.sequential { icl.nn.conv2d(2, 2, 1), icl.nn.dropout(0.4) },
}

for name, layer in pairs(drawing) do
  check("parts draw what the whole batch draws: " .. name, function()
    local x = icl.random.normal { 11, 3, 3, 2 }
    layer:train()
    local model = icl.nn.sequential { layer, layer }
    model:train()
    local function run(first, count)
      icl.random.seed(5)
      local computed <close> = count < 11 and part.enter { first = first, count = count, whole = 11 } or nil
      return model(x:narrow(1, first + 1, count))
    end
    local whole = run(0, 11):bytes()
    check.equal(bytes_of { run(0, 4), run(4, 4), run(8, 3) } == whole, true)
    check.equal(bytes_of { run(0, 4), run(0, 4) } == whole:sub(1, 2 * #whole * 4 // 11), false)
  end)
end

check("rows of tokens are numbered on through the batch", function()
  local layer, x = icl.nn.dropout(0.5), icl.ones { 6 * 5, 3 }
  layer:train()
  local function run(first, count)
    icl.random.seed(1)
    local computed <close> = part.enter { first = first, count = count, whole = 6 }
    return layer(x:narrow(1, 5 * first + 1, 5 * count))
  end
  check.equal(bytes_of { run(0, 2), run(2, 4) } == run(0, 6):bytes(), true)
end)

check("a share of the whole batch is the same in all parts", function()
  local model = icl.models.shake_shake { depth = 8, initial_channels = 2, shake_image = false, input = { 8, 8, 1 },
                                         classes = 3 }
  model:train()
  local block = model.stage1[1] or model.stage1.block1
  local function draw(first)
    icl.random.seed(3)
    local computed <close> = part.enter { first = first, count = 2, whole = 8 }
    return block:draw("alpha", 2):item()
  end
  check.equal(draw(0), draw(4))
end)

-- ---- mixing ----

local function mixed(set, rank, size, options, subdivision)
  return as(rank, size, function()
    icl.random.seed(4)
    options.training, options.chain = true, icl.augment.chain { icl.augment.normalize {}, icl.augment.mixup {},
                                                                icl.augment.ricap {} }
    local loader, list = icl.data.loader(set, options), {}
    for index, number, decoded, fields in loader:indices(1) do
      for _, chunk in ipairs(loader:batch(index, 1, number, decoded, nil, fields):chunks(subdivision or 1)) do
        list[#list + 1] = chunk.image
      end
    end
    return list
  end)
end

check("partners come from the whole batch, from the part of the process, or from the part computed", function()
  local set = make_set(20)
  local function spread_out(mix_with)
    local list = {}
    for rank = 0, 1 do
      table.move(mixed(set, rank, 2, { global_batch_size = 20, mix_with = mix_with }), 1, 1, #list + 1, list)
    end
    return bytes_of(list)
  end
  local function alone(mix_with, subdivision)
    return bytes_of(mixed(set, 0, 1, { batch_size = 20, mix_with = mix_with }, subdivision))
  end
  local whole, in_parts = alone "process", alone("part", 2)
  check.equal(alone "batch" == whole, true)
  check.equal(alone("process", 2) == whole, true)
  check.equal(spread_out "batch" == whole, true)
  check.equal(spread_out "process" == in_parts, true)
  check.equal(whole == in_parts, false)
  check.raises(function() icl.data.loader(set, { mix_with = "all" }) end, "mix_with")
end)

-- ---- evaluation ----

check("an evaluation that is shared out finds what one process finds, to the last bit", function()
  local set = make_set(37)
  local model = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(64, 6) }
  local options = { batch_size = 5, metrics = { f1 = icl.metrics.f1 { classes = 6 },
                                               third = function(l, t) return icl.metrics.accuracy(l, t, 3) end } }
  local function run()
    icl.random.seed(1)
    return icl.evaluate(model, set, options)
  end
  local alone = run()
  for size = 2, 9, 3 do
    local heard = {}
    for rank = 0, size - 1 do
      heard[rank + 1] = {}
      as(rank, size, run, nil, heard[rank + 1])
    end
    for rank = 0, size - 1 do
      local result = as(rank, size, run, heard)
      for name, value in pairs(alone) do check.equal(result[name], value) end
    end
  end
end)

check("a metric of one's own that cannot be put together is evaluated by each on all", function()
  local set, seen = make_set(12), 0
  local function metric()
    return { update = function(_, logits) seen = seen + logits:size(1) end, value = function() return 1 end,
             reset = function() end, clone = metric }
  end
  local model = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(64, 6) }
  as(1, 3, function() icl.evaluate(model, set, { batch_size = 4, metrics = { own = metric() } }) end)
  check.equal(seen, 12)
end)

check("an evaluation of an image set of nine batches gives each of two processes its own", function()
  local loader = icl.data.loader(make_set(33), { batch_size = 4 })
  local numbers = {}
  for rank = 0, 1 do
    as(rank, 2, function()
      loader.found.part_of_all = nil
      for _, number in loader:shared_out():indices(1) do numbers[number] = rank end
    end)
  end
  check.equal(table.concat(numbers, " "), "0 1 0 1 0 1 0 1 0")
end)

-- ---- options ----

check("the rate follows the batch of all processes", function()
  local notes
  local rates, set = {}, make_set(32)
  for _, size in ipairs { 1, 4 } do
    as(0, size, function()
      local model = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(64, 6) }
      local o = { epochs = 1, batch_size = 8, base_lr = 0.1, scale_lr = 4, schedule = "constant", random_crop = false }
      local prepared = require "icl.fit.prepare" { model = model, train = set, options = o }
      rates[#rates + 1], notes = prepared.schedule(0), prepared.notes
    end)
  end
  check.near(rates[1], 0.2, 1e-12)
  check.near(rates[2], 0.8, 1e-12)
  check.equal(notes[#notes], "base_lr 0.8, which is 0.1 for 4 images, for 32")
end)

check("parts that not all processes have are refused where statistics are those of all", function()
  local set = make_set(10)
  as(0, 2, function()
    local loader = icl.data.loader(set, { global_batch_size = 10, training = true })
    parts.check(nil, loader, { subdivision = 2, sync_bn = true, drop_last = true })
    loader = icl.data.loader(make_set(13), { global_batch_size = 10, training = true, drop_last = false })
    check.raises(function() parts.check(nil, loader, { subdivision = 2, sync_bn = true, drop_last = false }) end,
      "sync_bn: of a batch of 3 images some of 2 processes would have %d parts and others %d with subdivision 2")
  end)
end)

check("a process alone is process 0 of 1", function()
  local d = icl.distributed
  check.equal(d.size(), 1)
  check.equal(d.rank(), 0)
  check.equal(d.local_rank(), 0)
  check.equal(d.is_main(), true)
  check.equal(d.sum(3), 3)
  check.equal(d.sum({ 1, 2 })[2], 2)
  d.barrier()
  d.broadcast(icl.nn.linear(2, 2))
  check.raises(function() d.sum { "a" } end, "sum: number 1")
  check.raises(function() d.sync_batch_norm(3) end, "the model is 3; it must be a module")
  check.raises(function() d.init { rank = 2, size = 2 } end, "rank")
end)

check.close()
