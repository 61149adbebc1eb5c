-- test_folder.lua: image folders as sets: loaders, batches, parts, mixing, models.
local here = arg[0]:match "^(.*/)" or "./"
local check = dofile(here .. "check.lua")
local png = dofile(here .. "png.lua")
local core = require "icl.core"
local icl = require "icl"
local augment, data = icl.augment, icl.data

local root = os.tmpname()
os.remove(root)

local function shell(format, ...)
  assert(os.execute(format:format(...)))
end

local CLASSES, COUNT, SIZE = { "cat", "cow", "dog" }, 10, 8

-- Image k, counted from 0 in the order of the set, is 10 + k high and 16 wide, with a pattern of its own; green is k.
local function make(part)
  for k = 0, COUNT - 1 do
    local class = CLASSES[k * 3 // COUNT + 1]
    shell("mkdir -p %s/%s/%s", root, part, class)
    png.put(("%s/%s/%s/%d.png"):format(root, part, class, k), 10 + k, 16, function(y, x)
      return (y * 23 + x * 7 + k * 31) % 256, k, (x * 15) % 256
    end)
  end
end
make "train"
make "val"

local function open(workers, size)
  return data.folder(root .. "/train", { image_size = size or SIZE, workers = workers })
end

local function text(list) return table.concat(list, " ") end

-- The bytes of each image of a loader's epoch, and their numbers.
local function epoch(loader, number)
  local images, numbers, sizes = {}, {}, {}
  for index, place, decoded in loader:indices(number) do
    local batch = loader:batch(index, number, place, decoded)
    sizes[#sizes + 1] = batch:size()
    for i, k in ipairs(index:totable()) do
      numbers[#numbers + 1] = k
      images[k] = batch.image:narrow(1, i, 1):bytes()
    end
  end
  return images, text(numbers), text(sizes)
end

-- No stage behind the decoder.
local random_parts = augment.chain { augment.random_resized_crop {} }

check("a grey folder has one channel, as Pillow makes it", function()
  local grey = data.folder(root .. "/train", { image_size = SIZE, grey = true })
  check.equal(text(grey.shape), "8 8 1")
  check.equal(text(grey.mean), "0.449")
  local raw = augment.chain { augment.center_crop {} }
  local function images(set) return data.loader(set, { batch_size = 4, chain = raw }):first().image:totable() end
  local colored, found = images(open()), images(grey)
  for i, image in ipairs(colored) do
    for y, row in ipairs(image) do
      for x, pixel in ipairs(row) do
        check.equal(found[i][y][x][1], (19595 * pixel[1] + 38470 * pixel[2] + 7471 * pixel[3] + 32768) // 65536)
      end
    end
  end
  check.raises(function() data.folder(root .. "/train", { grey = true, mean = { 0, 0, 0 } }) end, "mean")
end)

check("an image that is repeated is cropped anew", function()
  icl.random.seed(8)
  local loader = data.loader(open(), { batch_size = 4, training = true, repeats = 2, chain = random_parts })
  local batch = loader:first()
  local labels, numbers = batch.target:totable(), batch.index:totable()
  for i = 1, 3, 2 do
    check.equal(numbers[i], numbers[i + 1])
    check.equal(labels[i], labels[i + 1])
    local a, b = batch.image:narrow(1, i, 1), batch.image:narrow(1, i + 1, 1)
    check.equal(a:bytes() == b:bytes(), false)
    check.equal(a:totable()[1][1][1][2], numbers[i])  -- green is the number
    check.equal(b:totable()[1][1][1][2], numbers[i])
  end
end)

check("a folder is a set", function()
  local set = open()
  check.equal(set.count, COUNT)
  check.equal(set.classes, 3)
  check.equal(text(set.class_names), "cat cow dog")
  check.equal(text(set.labels:totable()), "0 0 0 0 1 1 1 2 2 2")
  check.equal(text(set.shape), "8 8 3")
  check.equal(set.folder:file(4), root .. "/train/cow/4.png")
  check.near(set.mean[1], 0.485, 0)
end)

check("the order, and the last smaller batch", function()
  local _, numbers, sizes = epoch(data.loader(open(), { batch_size = 4 }), 1)
  check.equal(numbers, "0 1 2 3 4 5 6 7 8 9")
  check.equal(sizes, "4 4 2")
  local _, shuffled, full = epoch(data.loader(open(), { batch_size = 4, training = true }), 1)
  check.equal(full, "4 4")
  check.equal(shuffled == "0 1 2 3 4 5 6 7", false)
  local _, all = epoch(data.loader(open(), { batch_size = 4, training = true, drop_last = false }), 1)
  check.equal(all:sub(1, #shuffled), shuffled)
end)

check("images are the same for any threads and batches, and others in another epoch", function()
  icl.random.seed(5)
  local function images(workers, batch_size, number)
    return epoch(data.loader(open(workers), { batch_size = batch_size, training = true, drop_last = false,
                                              chain = random_parts }), number)
  end
  local one, three, later = images(1, 4, 1), images(3, 7, 1), images(3, 4, 2)
  local changed = 0
  for k = 0, COUNT - 1 do
    check.equal(one[k], three[k])
    check.equal(one[k]:byte(2), k)
    if one[k] ~= later[k] then changed = changed + 1 end
  end
  check.equal(changed >= 8, true)
  icl.random.seed(6)
  check.equal(images(1, 4, 1)[0] == one[0], false)
end)

check("evaluation sees the middle of the resized image", function()
  local chain = augment.chain { augment.center_crop { resize = 9 } }
  local images = epoch(data.loader(open(), { batch_size = 3, chain = chain }), 1)
  for k = 0, COUNT - 1 do
    local whole = icl.image.read(open().folder:file(k))
    check.equal(images[k], icl.image.center(whole, SIZE, 9):bytes())
  end
  local plain = epoch(data.loader(open(), { batch_size = 3, chain = augment.chain {} }), 1)
  check.equal(plain[2], icl.image.center(icl.image.read(open().folder:file(2)), SIZE):bytes())
end)

check("the size that evaluation resizes to follows that of the images unless it is given", function()
  local function resize(size, options)
    local set = data.folder(root .. "/val", { image_size = size })
    return augment.from_options(options or {}, set).decoder.options.resize
  end
  for size, wanted in pairs { [224] = 256, [299] = 342, [64] = 73, [1] = 1 } do check.equal(resize(size), wanted) end
  check.equal(resize(64, { eval_resize = 100 }), 100)
  check.equal(resize(64, { eval_resize = 0 }), 0)
end)

check("images come normalised unless a chain is given", function()
  local batch = data.loader(open(), { batch_size = 2 }):batch(icl.tensor({ 3, 7 }, { dtype = "i64" }), 1)
  check.equal(text(batch.target:totable()), "0 2")
  check.near(batch.image:totable()[2][1][1][2], (7 / 255 - 0.456) / 0.224, 1e-6)
end)

check("parts of a batch are the batch, mixed or not", function()
  for _, mixing in ipairs { augment.hflip {}, augment.mixup {}, augment.cutmix {}, augment.ricap {} } do
    local chain = augment.chain { augment.random_resized_crop {}, augment.hflip {}, augment.normalize {}, mixing }
    local loader = data.loader(open(), { batch_size = 8, training = true, chain = chain })
    for index, number, decoded in loader:indices(1) do
      local batch = loader:batch(index, 1, number, decoded)
      local chunks = batch:chunks(3)
      check.equal(#chunks, 3)
      local joined = icl.ops.concat(chunks[1].image, chunks[2].image, chunks[3].image, { dim = 1 })
      check.equal((joined - batch.image):abs():max():item(), 0)
      local again = loader:batch(index, 1, number)
      check.equal((again.image - batch.image):abs():max():item(), 0)
    end
  end
end)

check("a mixed image has its partner of the batch", function()
  local function keep(batch, rng) batch.partner = rng:partner() end
  local chain = augment.chain { augment.random_resized_crop {}, augment.hflip {}, keep }
  local loader = data.loader(open(), { batch_size = 10, chain = chain })
  local batch = loader:batch(icl.arange(10), 1, 1)
  local images = {}
  for k = 1, 10 do images[batch.image:narrow(1, k, 1):bytes()] = k end
  local seen = 0
  for k = 1, 10 do seen = seen + (images[batch.partner.image:narrow(1, k, 1):bytes()] or 100) end
  check.equal(seen, 55)
end)

check("a cycle decodes epoch behind epoch, in steps too", function()
  local loader = data.loader(open(), { training = true, batch_size = 4, chain = random_parts })
  local function cycle(done, count, f)
    icl.random.seed(3)
    local next_batch, list = loader:cycle(done), {}
    for k = 1, count do list[k] = f(function() return next_batch().image end):bytes() end
    return table.concat(list)
  end
  local whole = cycle(0, 5, icl.step)  -- two batches an epoch
  check.equal(#whole, 5 * 4 * SIZE * SIZE * 3)
  check.equal(cycle(0, 5, function(f) return f() end) == whole, true)
  check.equal(whole:sub(-#whole // 5 * 2) == cycle(3, 2, icl.step), true)
end)

check("a split shares the files", function()
  local most, rest = data.split(open(), 0.3)
  check.equal(most.count + rest.count, COUNT)
  local bytes = augment.chain {}
  local a = epoch(data.loader(most, { batch_size = 3, chain = bytes }), 1)
  local b = epoch(data.loader(rest, { batch_size = 2, chain = bytes }), 1)
  for k = 0, COUNT - 1 do
    check.equal((a[k] and 1 or 0) + (b[k] and 1 or 0), 1)
    check.equal((a[k] or b[k]):byte(2), k)
  end
end)

check("loops may be left", function()
  local run = icl.run {}
  local loader = data.loader(open(3), { batch_size = 2, training = true })
  for batch in run:batches(loader) do
    run:log { mean = batch.image:mean() }
    break
  end
  check.raises(function()
    for _ in run:batches(loader) do error "in the body" end
  end, "in the body")
  for _ in loader:indices(1) do break end
  local passes = 0
  for _ in run:batches(loader) do passes = passes + 1 end
  check.equal(passes, 5)
end)

check("a broken file is named", function()
  local path = root .. "/train/cow/5.png"
  local whole = assert(io.open(path, "rb")):read "a"
  local function put(contents)
    local file = assert(io.open(path, "wb"))
    file:write(contents)
    file:close()
  end
  local function read_all()
    local run = icl.run {}
    for _ in run:batches(data.loader(open(), { batch_size = 2 })) do end
  end
  put(whole:sub(1, 200))
  check.raises(read_all, "train/cow/5.png: it is cut: the PNG data end at byte 200.*remove the file or get it anew")
  put "hello"
  check.raises(read_all, "train/cow/5.png: not an image")
  put(whole)
  read_all()
end)

check("wrong options and chains", function()
  check.raises(function() data.folder(root .. "/train", { image_size = 0 }) end, "image_size is 0")
  check.raises(function() data.folder(root .. "/train", { mean = { 1 } }) end, "mean must be a list of 3")
  check.raises(function() augment.chain { augment.hflip {}, augment.center_crop {} } end, "it can only be the first")
  check.raises(function() augment.random_resized_crop { area = { 0.5, 0.1 } } end, "area must be two numbers")
  local set = data.set { images = icl.zeros({ 2, 4, 4, 1 }, "u8"), labels = icl.zeros({ 2 }, "i64"), classes = 2,
                         mean = { 0 }, std = { 1 } }
  check.raises(function() data.loader(set, { chain = random_parts }) end, "stage random_resized_crop decodes files")
end)

local opt = { dataset = "imagenet", data = root, image_size = SIZE, workers = 2, eval_resize = 9 }

check("open gives train and val", function()
  local train, val, test = data.open(opt)
  check.equal(train.count, COUNT)
  check.equal(val, test)
  check.equal(val.folder:file(0), root .. "/val/cat/0.png")
  check.raises(function() data.open { dataset = "imagenet" } end, "needs data DIR; images lie in DIR/train")
  check.raises(function() data.open { dataset = "imagenet", data = root .. "/none", image_size = 8, workers = 0 } end,
    "none/train: No such file or directory; images lie in a folder for each class")
  shell("mkdir %s/train/emu && cp %s/train/cow/5.png %s/train/emu", root, root, root)
  check.raises(function() data.open(opt) end, "class emu is in [^ ]*/train, but not in [^ ]*/val; both need the same")
  shell("rm -r %s/train/emu", root)
end)

check("broken images are told when the folder is opened, or left out", function()
  shell("mkdir %s/broken && cp -r %s/train/* %s/broken && mkdir %s/broken/.git", root, root, root, root)
  shell("for i in 0 5; do : > $(ls %s/broken/*/$i.png); done", root)
  local function folder(skip) return data.folder(root .. "/broken", { image_size = SIZE, skip_bad_images = skip }) end
  check.raises(folder,
    "/broken: 2 of 10 images cannot be read:\n[^\n]*/cat/0.png: the file is empty[^\n]*\n[^\n]*5.png")
  local set = folder(true)
  check.equal(set.count, 8)
  check.equal(set.bad, 2)
  check.equal(set.dropped, 2)
  check.equal(set.skipped, 1)
  check.equal(text(set.labels:totable()), "0 0 0 1 1 2 2 2")
  check.equal(set.folder:file(0), root .. "/broken/cat/1.png")
  shell("rm -r %s/broken", root)
end)

check("the form of a model follows the set", function()
  local train = data.open(opt)
  local large = icl.models.from_options({ n_blocks = { 1, 1, 1, 1 }, initial_channels = 4 }, train, "resnet")
  check.equal(large.settings.type, "imagenet")
  local small = icl.models.from_options({ type = "cifar", depth = 8, initial_channels = 4 }, train, "resnet")
  check.equal(small.settings.type, "cifar")
  check.equal(small.settings.classes, 3)
  check.equal(icl.models.resnet { depth = 8 }.settings.type, "cifar")
  check.raises(function() icl.models.from_options({ depth = 10 }, train, "wrn") end, "wrn has no form imagenet")
end)

check("folders and parts of them are put together", function()
  local raw = augment.chain { augment.center_crop {} }
  local function images(set) return (epoch(data.loader(set, { batch_size = 4, chain = raw }), 1)) end
  local set = open()
  local both, found = data.concat { set, data.folder(root .. "/val", { image_size = SIZE }) }, nil
  local longer = "/" .. ("./"):rep(100) .. root:sub(2)  -- the same folder by another path
  local again = data.concat { data.folder(longer .. "/train", { image_size = SIZE }),
                              data.folder(root .. "/val", { image_size = SIZE }) }
  check.equal(core.image_folder_fingerprint(again.folder), core.image_folder_fingerprint(both.folder))
  shell("cp -r %s/train %s/renamed && mv %s/renamed/dog %s/renamed/eel", root, root, root, root)
  check.equal(core.image_folder_fingerprint(data.folder(root .. "/renamed").folder) ==
    core.image_folder_fingerprint(set.folder), false)
  check.equal(both.count, 2 * COUNT)
  check.equal(text(both.class_names), text(CLASSES))
  check.equal(both.labels:size(1), 2 * COUNT)
  check.equal(both.folder:file(COUNT + 1), root .. "/val/cat/1.png")
  local single = images(set)
  found = images(both)
  for k = 0, COUNT - 1 do
    check.equal(found[k] == single[k] and found[COUNT + k] == single[k], true)
  end
  local some = data.concat { data.part(set, icl.tensor({ 8, 2 }, { dtype = "i64" })), data.part(both,
    icl.tensor({ 13 }, { dtype = "i64" })) }
  check.equal(some.count, 3)
  check.equal(text(some.indices:totable()), "8 2 23")
  found = images(some)
  check.equal(found[8] == single[8] and found[2] == single[2] and found[23] == single[3], true)
  local batch = data.loader(some, { batch_size = 3 }):first()
  check.equal(text(batch.target:totable()), text(icl.ops.gather(some.labels, some.indices):totable()))
end)

check("folders of other classes, sizes or kinds are not put together", function()
  shell("mkdir -p %s/other && cp -r %s/train/cat %s/other/emu && cp -r %s/train/dog %s/other/dog", root, root, root, root,
    root)
  local set = open()
  check.raises(function() data.concat { set, data.folder(root .. "/other", { image_size = SIZE }) } end,
    "icl.data.concat: set 2 has other classes than the first one: it lacks cat, cow; it has besides emu")
  check.raises(function() data.concat { set, open(0, 9) } end, "set 2 has images of %(9, 9, 3%) in 3 classes")
  local own = data.set { images = icl.zeros({ 1, SIZE, SIZE, 3 }, "u8"), labels = icl.zeros({ 1 }, "i64"), classes = 3,
                         mean = { 0, 0, 0 }, std = { 1, 1, 1 } }
  check.raises(function() data.concat { set, own } end, "set 2 is in memory, the first one is an image folder")
  check.raises(function() data.concat { own, set } end, "set 2 is an image folder, the first one is in memory")
end)

check("fit trains on it, the same for any threads", function()
  local function fit(workers, more)
    icl.random.seed(1)
    local own = { workers = workers, epochs = 2, batch_size = 5, eval_batch_size = 4, base_lr = 0.05,
                  schedule = "cosine" }
    for key, value in pairs(opt) do own[key] = own[key] or value end
    for key, value in pairs(more or {}) do own[key] = value end
    local train, val = data.open(own)
    local model = icl.models.from_options({ type = "cifar", depth = 8, initial_channels = 4 }, train, "resnet")
    local figures = icl.fit { model = model, train = train, test = val, options = own, quiet = true }
    local parts = {}
    for i, entry in ipairs(model:named_states()) do parts[i] = entry.state:bytes() end
    return figures, table.concat(parts)
  end
  local figures, bytes = fit(1)
  check.equal(figures.test.loss == figures.test.loss, true)
  local _, again = fit(3)
  check.equal(bytes == again, true)
  local _, centred = fit(2, { random_crop = false })
  check.equal(bytes == centred, false)
  fit(2, { mixup = true, subdivision = 2 })
end)

shell("rm -r %s", root)
check.close()
