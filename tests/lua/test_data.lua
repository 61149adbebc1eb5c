-- test_data.lua: sets, loaders and augmentation on images made here.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local augment, data = icl.augment, icl.data

-- n images of 4 x 4 pixels; every pixel of image k has the value k, but the left column has k + 100.
local function make_set(n)
  local images, labels = {}, {}
  for k = 1, n do
    labels[k] = (k - 1) % 3
    images[k] = {}
    for i = 1, 4 do images[k][i] = { { k + 99 }, { k - 1 }, { k - 1 }, { k - 1 } } end
  end
  return data.set { images = icl.tensor(images, { dtype = "u8" }), labels = icl.tensor(labels, { dtype = "i64" }),
                    classes = 3, mean = { 0.5 }, std = { 0.25 }, name = "own" }
end

local set = make_set(10)

local function epoch(loader, number)
  local all = {}
  for index in loader:indices(number) do
    for _, value in ipairs(index:totable()) do all[#all + 1] = value end
  end
  return all
end

local function text(list) return table.concat(list, " ") end

check("a training loader shuffles, the same for the same seed and epoch", function()
  icl.random.seed(3)
  local loader = data.loader(set, { batch_size = 2, training = true })
  local first, second = epoch(loader, 1), epoch(loader, 2)
  check.equal(text(first) == text(second), false)
  check.equal(text(epoch(loader, 1)), text(first))
  table.sort(first)
  check.equal(text(first), "0 1 2 3 4 5 6 7 8 9")
  icl.random.seed(4)
  check.equal(text(epoch(loader, 2)) == text(second), false)
end)

check("the last smaller batch", function()
  check.equal(#epoch(data.loader(set, { batch_size = 4, training = true }), 1), 8)
  check.equal(#epoch(data.loader(set, { batch_size = 4, training = true, drop_last = false }), 1), 10)
  check.equal(text(epoch(data.loader(set, { batch_size = 4 }), 1)), "0 1 2 3 4 5 6 7 8 9")
  check.equal(data.loader(set, { batch_size = 4 }).batches, 3)
  check.raises(function() data.loader(set, { batch_size = 11, training = true }) end, "10 images are not one batch")
end)

check("a set without images has no batches", function()
  local none = data.part(set, icl.tensor({}, { dtype = "i64" }))
  check.equal(none.count, 0)
  check.raises(function() data.loader(none, { batch_size = 4 }) end, "icl.data.loader: the set has no images")
  check.raises(function() icl.evaluate(icl.nn.flatten(), none) end, "the set has no images")
end)

check("a split has each image once", function()
  local most, rest = data.split(set, 0.35)
  check.equal(most.count, 7)
  check.equal(rest.count, 3)
  local all = epoch(data.loader(most, { batch_size = 7 }), 1)
  for _, value in ipairs(epoch(data.loader(rest, { batch_size = 3, training = true }), 1)) do all[#all + 1] = value end
  table.sort(all)
  check.equal(text(all), "0 1 2 3 4 5 6 7 8 9")
end)

check("a batch has normalised images and labels", function()
  local loader = data.loader(set, { batch_size = 4 })
  local batch = loader:batch(icl.tensor({ 9, 4 }, { dtype = "i64" }), 1)
  check.equal(text(batch.target:totable()), "0 1")
  check.equal(text(batch.image:shape()), "2 4 4 1")
  check.near(batch.image:totable()[1][2][2][1], (9 / 255 - 0.5) / 0.25, 1e-6)
  local half = augment.chain { augment.normalize { dtype = "bf16", mean = { 0 }, std = { 1 } } }
  check.equal(data.loader(set, { chain = half }):batch(batch.index, 1).image:dtype(), "bf16")
end)

-- The images of these numbers after a chain, as bytes of one text each.
local function augmented(chain, numbers, number_of_epoch)
  local batch = data.loader(set, { chain = chain }):batch(icl.tensor(numbers, { dtype = "i64" }), number_of_epoch)
  local result = {}
  for i, image in ipairs(batch.image:reshape(#numbers, -1):totable()) do result[i] = text(image) end
  return result
end

check("an image is augmented the same in whatever batch it is", function()
  icl.random.seed(2)
  local chain = augment.chain { augment.random_crop { padding = 2 }, augment.hflip {} }
  local together, alone = augmented(chain, { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 1), augmented(chain, { 6 }, 1)
  check.equal(alone[1], together[7])
  local later, changed = augmented(chain, { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 2), 0
  for i = 1, 10 do changed = changed + (later[i] ~= together[i] and 1 or 0) end
  check.equal(changed >= 7, true)
end)

check("flips mirror some images and leave the others", function()
  local chain = augment.chain { augment.hflip {} }
  local left, right = 0, 0
  for k, image in ipairs(augmented(chain, { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 1)) do
    if image:find(("^%d "):format(k + 99)) then left = left + 1 end
    if image:find((" %d$"):format(k + 99)) then right = right + 1 end
  end
  check.equal(left + right, 10)
  check.equal(left > 0 and right > 0, true)
  check.equal(augmented(augment.chain { augment.hflip { prob = 0 } }, { 3 }, 1)[1]:find "^103 " ~= nil, true)
end)

check("two stages of one kind draw differently", function()
  local seen = {}
  local function remember(batch, rng) seen[#seen + 1] = text(rng:uniform({ batch.image:size(1) }):totable()) end
  augmented(augment.chain { remember, remember }, { 1, 2 }, 1)
  check.equal(seen[1] == seen[2], false)
end)

check("functions are stages", function()
  local chain = augment.chain { augment.normalize { mean = { 0 }, std = { 1 } },
                                function(batch) batch.image = batch.image * 0 + 7 end }
  check.equal(augmented(chain, { 1 }, 1)[1]:find "^7.0 7.0" ~= nil, true)
  check.raises(function() augment.chain { 5 } end, "stage 1 is 5; it must be a stage")
end)

check("what a chain puts into a batch is there when it is asked for", function()
  local chain = augment.chain { augment.normalize {}, function(batch) batch.second = batch.image * 2 end }
  for batch in data.loader(set, { batch_size = 4, chain = chain }):each() do
    check.equal(batch.place, nil)
    check.equal(batch.number, 1)
    check.near(batch.second:mean():item(), 2 * batch.image:mean():item(), 1e-6)
    check.equal(batch.third, nil)
    break
  end
end)

check("a constructor is no stage", function()
  local hint = "is the constructor of hflip; call it: augment.hflip {}"
  check.raises(function() augment.chain { augment.normalize {}, augment.hflip } end, "stage 2 " .. hint)
  check.raises(function() augment.chain { augment.center_crop } end, "stage 1 is the constructor of center_crop")
  check.raises(function() augment.chain(augment.hflip {}) end, "it takes a list of stages")
  check.raises(function() augment.chain() end, "augment.chain: it takes a list of stages, not nil")
  check.raises(function() augment.chain { flip = augment.hflip {} } end, "flip = ... has no place in the order")
  check.raises(function() augment.chain({ augment.hflip {} }, 1) end, "1 is an argument too many")
  check.raises(function() augment.hflip({}, 1) end, "augment.hflip: 1 is an argument too many")
  check.raises(function() data.loader(set, { chain = augment.hflip }) end, "chain is .*it must be augment.chain")
  check.raises(function() augment.from_options() end, "from_options: options: it takes a table of options, not nil")
end)

check("parts of a batch are the batch", function()
  icl.random.seed(2)
  local chain = augment.chain { augment.random_crop { padding = 2 }, augment.normalize {} }
  local loader = data.loader(set, { chain = chain })
  local batch = loader:batch(icl.tensor({ 5, 1, 8, 2, 9, 0, 3, 7 }, { dtype = "i64" }), 1)
  local chunks, sizes, images = batch:chunks(3), {}, {}
  for i, chunk in ipairs(chunks) do sizes[i], images[i] = chunk:size(), chunk.image end
  check.equal(text(sizes), "2 3 3")
  local joined = icl.ops.concat(images[1], images[2], images[3], { dim = 1 })
  check.equal((joined - batch.image):abs():max():item(), 0)
  for i, chunk in ipairs(batch:chunks(5, true)) do sizes[i] = chunk:size() end
  check.equal(text(sizes), "2 2 2 2")
  check.equal(#batch:chunks(20), 8)
end)

check("sets of the wrong form are refused", function()
  local images = icl.zeros({ 2, 4, 4, 1 }, "u8")
  local labels = icl.zeros({ 2 }, "i64")
  local function refused(pattern, given)
    local all = { images = images, labels = labels, classes = 2, mean = { 0 }, std = { 1 } }
    for key, value in pairs(given) do all[key] = value end
    check.raises(function() data.set(all) end, pattern)
  end
  refused("images must be u8", { images = icl.zeros { 2, 4, 4, 1 } })
  refused("labels must be i64 of shape %(2%)", { labels = icl.zeros({ 3 }, "i64") })
  refused("mean must be a list of 1", { mean = { 0, 0 } })
  refused("std must be a list of 1", { std = { "1" } })
  refused("icl.data.set: std is 0; it must be at least 1e%-06", { std = { 0 } })
  refused("icl.data.set: std is %-1; it must be at least 1e%-06", { std = { -1 } })
  refused("icl.data.set: class_names: there are 1 names, but 2 classes", { class_names = { "a" } })
  refused("icl.data.set: class_names: it takes a list of texts, not 'ab'", { class_names = "ab" })
  refused("icl.data.set: class_names: it is a list, and has no place for the key 'a'", { class_names = { a = "b" } })
  refused("icl.data.set: class_names: name 2: it takes a text, not 3", { class_names = { "a", 3 } })
  refused("icl.data.set: class_names: 'a' is there twice", { class_names = { "a", "a" } })
  refused("icl.data.set: class_names: name 2 is not UTF%-8", { class_names = { "a", "b\xff" } })
  refused("classes is 0; it must be an integer from 1", { classes = 0 })
  refused("icl.data.set: images is false; it must be a tensor", { images = false })
  refused("image 2 has the label 2; with 2 classes labels are from 0 to 1",
    { labels = icl.tensor({ 0, 2 }, { dtype = "i64" }) })
  refused("image 1 has the label %-1", { labels = icl.tensor({ -1, 0 }, { dtype = "i64" }) })
end)

check("a loss of fewer classes than the set has is refused", function()
  local set = data.set { images = icl.zeros({ 4, 2, 2, 1 }, "u8"), labels = icl.zeros({ 4 }, "i64"), classes = 10,
                         mean = { 0 }, std = { 1 } }
  local function loss(classes, chain)
    local loader, run = data.loader(set, { batch_size = 4, chain = chain }), icl.run {}
    for batch in run:batches(loader) do icl.loss.cross_entropy(icl.zeros { 4, classes }, batch.target) end
  end
  local pattern = "the logits are of 5 classes, but the labels of 10; the last layer needs 10 outputs"
  check.raises(function() loss(5) end, pattern)
  check.raises(function() loss(5, augment.chain { augment.normalize {}, augment.mixup {} }) end, pattern)
  loss(10)
  loss(12)
end)

check("wrong targets are named", function()
  local logits, labels = icl.zeros { 2, 5 }, icl.zeros({ 2 }, "i64")
  local loss = icl.loss.cross_entropy
  check.raises(function() loss() end, "loss.cross_entropy: logits is nil; it must be a tensor")
  check.raises(function() loss(logits, 3) end, "loss: a target is a tensor of labels or a table with labels.*not 3")
  check.raises(function() loss(logits, labels, "a") end, "loss: smoothing is 'a'; it must be a number from 0 to 1")
  check.raises(function() loss(logits, { labels = { labels }, weights = {} }) end, "has 1 labels and 0 weights")
  check.raises(function() loss(logits, { labels = labels, weights = {} }) end, "labels of a mixture: it takes a list")
  check.raises(function() icl.step(loss, logits, icl.tensor({ 0, 5 }, { dtype = "i64" })) end,
    "index 5 at position 1 must be from 0 to 4")
end)

check("wrong arguments are named", function()
  check.raises(function() data.loader(set):batch() end, "loader:batch: index is nil; it must be a tensor")
  check.raises(function() data.loader() end, "icl.data.loader: it takes a set, not nil")
  check.raises(function() data.loader {} end, "icl.data.loader: this table is no set")
  check.raises(function() data.open() end, "icl.data.open: it takes a table of options")
  check.raises(function() data.open {} end, "icl.data.open: dataset is missing")
  check.raises(function() data.folder() end, "icl.data.folder: a path is needed")
  check.raises(function() data.part() end, "icl.data.part: it takes a set")
  check.raises(function() data.split({ count = 3 }, 1.5) end, "icl.data.split: ratio is 1.5; it must be from 0 to 1")
end)

check("options of a command line say what a loader is not given", function()
  local opt = icl.options "x" : include(icl.options.data, icl.options.augmentation) : parse {
    "--batch-size", "3", "--eval-batch-size", "2", "--no-drop-last", "--no-random-crop", "--no-hflip", "--vflip",
  }
  local training, test = data.loader(set, { options = opt, training = true }), data.loader(set, { options = opt })
  check.equal(training.batch_size, 3)
  check.equal(training.drop_last, false)
  check.equal(tostring(training.chain):find("vflip", 1, true) ~= nil, true)
  check.equal(test.batch_size, 2)
  check.equal(tostring(test.chain):find("vflip", 1, true), nil)
  local own = icl.augment.chain { icl.augment.normalize {} }
  local mixed = data.loader(set, { options = opt, training = true, batch_size = 5, drop_last = true, chain = own })
  check.equal(mixed.batch_size, 5)
  check.equal(mixed.drop_last, true)
  check.equal(mixed.chain, own)
  check.raises(function() data.loader(set, { options = 3 }) end, "it takes the options of a command line, not 3")
end)

check("a loader stays as it was made", function()
  local loader = data.loader(set, { batch_size = 4 })
  for _, name in ipairs { "batch_size", "batches", "typo" } do
    check.raises(function() loader[name] = 1 end, "its field '" .. name .. "' cannot be assigned: icl.data.loader%(")
  end
  check.equal(loader.batches, 3)
  check.equal(tostring(loader), "a loader: 10 images, 3 batches of 4")
  check.equal(tostring(data.loader(set, { training = true, batch_size = 4 })),
    "a loader for training: 10 images, 2 batches of 4")
  local names = {}
  for name in pairs(loader) do names[name] = true end
  check.equal(names.set and names.chain and names.batch_size, true)
end)

check("a chain must leave an image", function()
  local set = icl.data.generate(4, function() return icl.zeros({ 2, 2, 1 }, "u8"), 0 end,
    { classes = 1, mean = { 0 }, std = { 1 } })
  local function first(chain)
    return function() return icl.data.loader(set, { batch_size = 2, chain = chain }):first().image end
  end
  check.raises(first(function(batch) batch.image = nil end), "the chain left nil as batch.image")
  check.raises(first(function(batch) return batch.image * 0 end), "the chain returned a tensor, which nothing")
  check.raises(first(icl.augment.chain { function(batch) batch.image = nil end }), "stage 1, a function, left nil")
end)

check.close()
