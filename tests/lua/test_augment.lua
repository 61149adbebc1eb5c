-- test_augment.lua: stages behind the normalisation, mixing, two views, on images made here.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local beta = require "icl.random.beta"
local places = require "icl.internal.places"
local augment, data = icl.augment, icl.data

local COUNT, HEIGHT, WIDTH, CHANNELS = 24, 10, 12, 2

-- Images that differ in every byte nearly; the label of image k is k, counted from 0.
local function make_set()
  local bytes, labels = {}, {}
  for i = 0, COUNT * HEIGHT * WIDTH * CHANNELS - 1 do bytes[i + 1] = string.char((i * 2654435761 >> 13) & 255) end
  for k = 1, COUNT do labels[k] = k - 1 end
  local shape = { COUNT, HEIGHT, WIDTH, CHANNELS }
  return data.set { images = icl.tensor(table.concat(bytes), { dtype = "u8", shape = shape }),
                    labels = icl.tensor(labels, { dtype = "i64" }), classes = COUNT, mean = { 0.5, 0.4 },
                    std = { 0.25, 0.2 }, name = "own" }
end

local set = make_set()

local function numbers(...)
  return icl.tensor({ ... }, { dtype = "i64" })
end

local function all_numbers()
  return icl.arange(COUNT)
end

-- A batch of all images but for the first `skipped`, as the stages make it.
local function batch_of(stages, skipped, number)
  local loader = data.loader(set, { batch_size = 4, chain = augment.chain(stages) })
  skipped = skipped or 0
  return loader:batch(all_numbers():narrow(1, skipped + 1, COUNT - skipped), 1, number or 1)
end

local before = { augment.random_crop { padding = 2 }, augment.hflip {}, augment.normalize {} }

local function behind(...)
  local stages = { table.unpack(before) }
  for _, item in ipairs { ... } do stages[#stages + 1] = item end
  return stages
end

local function difference(a, b)
  return (a - b):abs():max():item()
end

-- Where images a and b differ: for each image the box top, left, bottom, right (0 from the edge, the last two outside);
-- an error unless it is a rectangle that differs everywhere.
local function changed(a, b)
  local list = {}
  for k, image in ipairs(icl.ops.ne(a, b):float():totable()) do
    local count, box = 0, nil
    for i, row in ipairs(image) do
      for j, pixel in ipairs(row) do
        if pixel[1] + pixel[2] > 0 then
          count, box = count + 1, box or { i - 1, j - 1, i, j }
          box = { math.min(box[1], i - 1), math.min(box[2], j - 1), math.max(box[3], i), math.max(box[4], j) }
        end
      end
    end
    if box then check.equal(count, (box[3] - box[1]) * (box[4] - box[2])) end
    list[k] = box or false
  end
  return list
end

-- ---- crop ----

-- The pixel that stands at position i, from 0, of an axis of a size that is padded in a mode; nil: fill.
local function source(mode, i, size)
  if i >= 0 and i < size then return i end
  if mode == "edge" then return i < 0 and 0 or size - 1 end
  local more = mode == "symmetric" and 1 or 0
  if mode ~= "constant" then return i < 0 and -i - more or 2 * size - 2 + more - i end
end

check("padding of each mode", function()
  local x, offsets = set.images:narrow(1, 1, 3), { { 0, 7 }, { 10, 2 }, { 5, 10 } }
  for _, mode in ipairs { "constant", "edge", "reflect", "symmetric" } do
    local stage = augment.random_crop { padding = 5, fill = mode == "constant" and 77 or nil, padding_mode = mode }
    local found, images = stage:crop(x, icl.tensor(offsets, { dtype = "i64" })):totable(), x:totable()
    for k, offset in ipairs(offsets) do
      for i = 0, HEIGHT - 1 do
        for j = 0, WIDTH - 1 do
          local row, column = source(mode, i + offset[1] - 5, HEIGHT), source(mode, j + offset[2] - 5, WIDTH)
          local expected = row and column and images[k][row + 1][column + 1][2] or 77
          check.equal(found[k][i + 1][j + 1][2], expected)
        end
      end
    end
  end
end)

check("a crop of the largest padding, of one that is too large, and of none", function()
  local offset, x = icl.zeros({ 3, 2 }, "i64"), set.images:narrow(1, 1, 3)
  for mode, most in pairs { reflect = HEIGHT - 1, symmetric = HEIGHT } do
    local corner = augment.random_crop { padding = most, padding_mode = mode }:crop(x, offset):totable()[2][1][1][1]
    check.equal(corner, x:totable()[2][HEIGHT][source(mode, -most, WIDTH) + 1][1])
    local stage = augment.random_crop { padding = most + 1, padding_mode = mode }
    check.raises(function() stage:crop(x, offset) end, "at most " .. most)
  end
  check.equal(difference(augment.random_crop { padding = 0, padding_mode = "edge" }:crop(x, offset), x), 0)
  check.equal(augment.random_crop { padding = 30, padding_mode = "edge" }:crop(x, offset):totable()[1][1][1][1],
    x:totable()[1][1][1][1])
  check.raises(function() augment.random_crop { padding_mode = "mirror" } end, "constant, edge, reflect, symmetric")
end)

-- ---- cutout ----

check("cutout fills one square of each image", function()
  icl.random.seed(1)
  local plain, cut = batch_of(before).image, batch_of(behind(augment.cutout { size = 4, color = 9 })).image
  local whole, seen = 0, {}
  for _, box in ipairs(changed(plain, cut)) do
    local height, width = box[3] - box[1], box[4] - box[2]
    check.equal(height <= 4 and width <= 4 and height >= 2 and width >= 2, true)
    if height == 4 and width == 4 then whole = whole + 1 end
    seen[box[1] * 100 + box[2]] = true
  end
  check.equal(whole > 5 and whole < COUNT, true)
  local places = 0
  for _ in pairs(seen) do places = places + 1 end
  check.equal(places > 10, true)
  check.equal(cut:max():item(), 9)
end)

check("cutout within the image", function()
  for _, size in ipairs { 3, 6, 10 } do
    local cut = batch_of(behind(augment.cutout { size = size, inside = true, color = 9 })).image
    for _, box in ipairs(changed(batch_of(before).image, cut)) do
      check.equal(box[3] - box[1], size)
      check.equal(box[4] - box[2], size)
    end
  end
  check.raises(function() return batch_of(behind(augment.cutout { size = 11, inside = true })).image end,
    "augment.cutout: a square of size 11 does not lie within 10 x 12 pixels")
end)

check("a square larger than the image covers all or a part of it", function()
  local cut = batch_of(behind(augment.cutout { size = 40, color = 9 })).image
  check.equal(cut:min():item(), 9)
end)

check("cutout of some images", function()
  local plain = batch_of(before).image
  local function count(prob)
    local touched = 0
    for _, box in ipairs(changed(plain, batch_of(behind(augment.cutout { size = 4, color = 9, prob = prob })).image)) do
      touched = touched + (box and 1 or 0)
    end
    return touched
  end
  check.equal(count(0), 0)
  check.equal(count(1), COUNT)
  check.equal(count(0.5) > 4 and count(0.5) < COUNT - 4, true)
end)

check("what is drawn for an image does not depend on its batch", function()
  for _, item in ipairs { augment.cutout { size = 4, prob = 0.7 }, augment.random_erasing { prob = 0.8 } } do
    local all, some = batch_of(behind(item)).image, batch_of(behind(item), 5).image
    check.equal(difference(all:narrow(1, 6, COUNT - 5), some), 0)
  end
end)

check("images keep their dtype", function()
  for _, dtype in ipairs { "f32", "bf16", "f64" } do
    local stages = { augment.normalize { dtype = dtype }, augment.cutout { size = 4 }, augment.random_erasing {} }
    check.equal(batch_of(stages).image:dtype(), dtype)
    for _, mix in ipairs { "mixup", "cutmix", "ricap" } do
      stages[4] = augment[mix] {}
      check.equal(batch_of(stages).image:dtype(), dtype)
    end
  end
end)

-- ---- random erasing ----

-- The boxes that a random erasing with these options and a value of its own in each image makes.
local function erased(options)
  options.prob = options.prob or 1
  local plain, result = batch_of(before).image, batch_of(behind(augment.random_erasing(options))).image
  return changed(plain, result), plain, result
end

check("random erasing fills a rectangle with one number from 0 to 1", function()
  icl.random.seed(3)
  local list, plain, result = erased { area = { 0.1, 0.5 } }
  local values = icl.ops.where(icl.ops.ne(plain, result), result, -1):max { 2, 3, 4 }:totable()
  for k, box in ipairs(list) do
    local area = (box[3] - box[1]) * (box[4] - box[2]) / (HEIGHT * WIDTH)
    check.equal(area <= 0.5 and area > 0.02, true)
    check.equal(box[3] < HEIGHT and box[4] < WIDTH, true)
    local least = icl.ops.where(icl.ops.ne(plain, result), result, 2):min({ 2, 3, 4 }):totable()[k]
    check.equal(least, values[k])
    check.equal(values[k] >= 0 and values[k] < 1, true)
  end
  check.equal(values[1] == values[2], false)
end)

check("random erasing to the edge, with a number for each value, of no image, of none that fits", function()
  local edges, tall, wide = 0, 0, 0
  for _, box in ipairs((erased { area = { 0.2, 0.6 }, to_edge = true, log_ratio = true })) do
    if box[3] == HEIGHT or box[4] == WIDTH then edges = edges + 1 end
    if box[3] - box[1] > box[4] - box[2] then tall = tall + 1 else wide = wide + 1 end
  end
  check.equal(edges > 0 and tall > 3 and wide > 3, true)
  local _, plain, result = erased { area = { 0.3, 0.3 }, min_aspect_ratio = 1, per_pixel = true }
  local inside = icl.ops.ne(plain, result)
  local most = icl.ops.where(inside, result, -1):max { 2, 3, 4 }
  local least = icl.ops.where(inside, result, 2):min { 2, 3, 4 }
  check.equal((most - least):min():item() > 0.5, true)
  for _, options in ipairs { { prob = 0 }, { area = { 1, 1 }, min_aspect_ratio = 1 } } do
    for _, box in ipairs((erased(options))) do check.equal(box, false) end
  end
end)

check("of several sizes the first that fits is taken", function()
  local stage, x = augment.random_erasing {}, icl.zeros { 2, 10, 10, 1 }
  local function row(...) return { { { ... } } } end
  local draws = { area = icl.tensor { row(0.9, 0.16, 0.25), row(0.25, 0.9, 0.16) },
                  ratio = icl.tensor { row(2, 1, 1), row(1, 1, 1) },
                  x = icl.zeros { 2, 1, 1, 1 }, y = icl.full({ 2, 1, 1, 1 }, 0.99) }
  local box = stage:box(draws, x)
  local found = icl.ops.concat(box.top, box.left, box.bottom, box.right, { dim = 4 }):reshape(-1):totable()
  check.equal(table.concat(found, " "), "5.0 0.0 9.0 4.0 4.0 0.0 9.0 5.0")
end)

-- ---- mixing ----

-- The images of a batch that is not mixed, in the order of a label vector of the mixed one.
local function in_order(labels, skipped)
  return batch_of(before, skipped).image:gather(labels - (skipped or 0))
end

local function check_target(target, vectors)
  check.equal(#target.labels, vectors)
  check.equal(#target.weights, vectors)
  local sum = 0
  for _, weight in ipairs(target.weights) do sum = sum + weight end
  check.near(sum, 1, 1e-12)
end

-- Are these all numbers from `skipped` on, in disorder?
local function check_order(labels, skipped)
  local list, disorder = labels:totable(), false
  for i, label in ipairs(list) do disorder = disorder or label ~= i - 1 + skipped end
  check.equal(disorder, true)
  table.sort(list)
  for i, label in ipairs(list) do check.equal(label, i - 1 + skipped) end
end

check("mixup adds the images that the batch has without it", function()
  local batch = batch_of(behind(augment.mixup {}), 3)
  check_target(batch.target, 2)
  local labels, weights = batch.target.labels, batch.target.weights
  check_order(labels[2], 3)
  check.equal(difference(labels[1], batch.index), 0)
  check.equal(difference(batch.image, in_order(labels[1], 3) * weights[1] + in_order(labels[2], 3) * weights[2]), 0)
end)

check("CutMix replaces one box", function()
  for number = 1, 8 do
    local batch = batch_of(behind(augment.cutmix { correct_lambda = true }), 3, number)
    check_target(batch.target, 2)
    local own, other = in_order(batch.target.labels[1], 3), in_order(batch.target.labels[2], 3)
    local inside = icl.ops.eq(batch.image, other) * icl.ops.ne(own, other)
    check.equal(difference(icl.ops.where(inside, other, own), batch.image), 0)
    local some = inside:float():max(1, true)
    local box = changed(some * 0, some)[1]
    local area = box and (box[3] - box[1]) * (box[4] - box[2]) or 0
    check.near(batch.target.weights[2], area / (HEIGHT * WIDTH), 1e-12)
  end
end)

check("lambda of CutMix is not corrected unless asked for", function()
  local plain = batch_of(behind(augment.cutmix {})).target
  local corrected = batch_of(behind(augment.cutmix { correct_lambda = true })).target
  check_target(plain, 2)
  check.equal(plain.weights[1] == corrected.weights[1], false)
  check.near(plain.weights[1], corrected.weights[1], 0.5)
end)

-- Where patch (1, height, width, c) lies in an image (1, h, w, c): is it somewhere?
local function is_found(patch, image)
  local _, height, width = table.unpack(patch:shape())
  if height * width == 0 then return true end
  for i = 1, image:size(2) - height + 1 do
    for j = 1, image:size(3) - width + 1 do
      if difference(image:narrow(2, i, height):narrow(3, j, width), patch) == 0 then return true end
    end
  end
  return false
end

check("RICAP patches four images together", function()
  local stages = behind(augment.ricap { beta = 2 })
  local batch = batch_of(stages, 3)
  check_target(batch.target, 4)
  local weights, parts = batch.target.weights, {}
  local upper, left = weights[1] + weights[2], weights[1] + weights[3]
  local h, w = math.floor(upper * HEIGHT + 0.5), math.floor(left * WIDTH + 0.5)
  check.equal(h > 0 and h < HEIGHT and w > 0 and w < WIDTH, true)
  for k = 1, 4 do
    local top, from = k > 2 and h or 0, k % 2 == 0 and w or 0
    local height, width = k > 2 and HEIGHT - h or h, k % 2 == 0 and WIDTH - w or w
    check.near(weights[k], height * width / (HEIGHT * WIDTH), 1e-12)
    check_order(batch.target.labels[k], 3)
    parts[k] = batch.image:narrow(2, top + 1, height):narrow(3, from + 1, width)
  end
  for k = 1, 4 do
    local images = in_order(batch.target.labels[k], 3)
    for _, n in ipairs { 1, 7, COUNT - 3 } do
      check.equal(is_found(parts[k]:narrow(1, n, 1), images:narrow(1, n, 1)), true)
    end
  end
end)

local mixtures = {
  mixup = { augment.mixup {} }, cutmix = { augment.cutmix {} }, ricap = { augment.ricap { beta = 1 } },
  ["mixup and cutmix"] = { augment.cutout { size = 4 }, augment.mixup {}, augment.cutmix {} },
}

for name, stages in pairs(mixtures) do
  check("parts of a batch are those of the whole: " .. name, function()
    local batch = batch_of(behind(table.unpack(stages)), 1)
    local images, labels = {}, {}
    for i, chunk in ipairs(batch:chunks(4)) do
      images[i] = chunk.image
      for k, vector in ipairs(chunk.target.labels) do
        labels[k] = labels[k] and icl.ops.concat(labels[k], vector, { dim = 1 }) or vector
        check.equal(chunk.target.weights[k], batch.target.weights[k])
      end
    end
    check.equal(#images, 4)
    check.equal(difference(icl.ops.concat(images[1], images[2], images[3], images[4], { dim = 1 }), batch.image), 0)
    for k, vector in ipairs(labels) do check.equal(difference(vector, batch.target.labels[k]), 0) end
    local inner = batch:chunks(2)[2]:chunks(2)[2]
    check.equal(difference(inner.image, batch.image:narrow(1, 18, 6)), 0)
  end)

  check("another batch, epoch or seed is mixed in another way, the same one in the same: " .. name, function()
    local function texts(number, epoch, seed)
      icl.random.seed(seed)
      local batch = batch_of(behind(table.unpack(stages)), 1, number)
      batch.epoch = epoch
      return table.concat(batch.target.weights, " "), table.concat(batch.target.labels[2]:totable(), " ")
    end
    local weights, order = texts(1, 1, 5)
    for _, other in ipairs { { 2, 1, 5 }, { 1, 2, 5 }, { 1, 1, 6 } } do
      local other_weights, other_order = texts(table.unpack(other))
      check.equal(weights == other_weights, false)
      check.equal(order == other_order, false)
    end
    local again_weights, again_order = texts(1, 1, 5)
    check.equal(weights .. order, again_weights .. again_order)
  end)
end

check("what is mixed twice is a mixture of four", function()
  local batch = batch_of(behind(augment.mixup {}, augment.cutmix {}))
  check_target(batch.target, 4)
  local once = batch_of(behind(augment.mixup {}))
  check.equal(difference(once.target.labels[2], batch.target.labels[2]), 0)
  local order = batch.target.labels[3]
  check.equal(difference(once.target.labels[2]:gather(order), batch.target.labels[4]), 0)
  local other = once.image:gather(order)
  local from_other = icl.ops.eq(batch.image, other)
  check.equal(difference(icl.ops.where(from_other, other, once.image), batch.image), 0)
end)

check("a function behind the mixing gets the mixed batch", function()
  local seen
  local batch = batch_of(behind(augment.mixup {}, function(given, rng)
    seen = { #given.target.labels, #rng:uniform({ given.image:size(1) }):totable() }
    given.image = given.image * 0
  end))
  check.equal(difference(batch.image, icl.zeros { COUNT, HEIGHT, WIDTH, CHANNELS }), 0)
  check.equal(seen[1], 2)
  check.equal(seen[2], COUNT)
end)

check("a batch that no loader made cannot be mixed", function()
  local chain = augment.chain { augment.mixup {} }
  check.raises(function() chain { index = numbers(0), image = icl.zeros { 1, 2, 2, 1 } } end, "must be a loader's")
end)

-- ---- two views ----

check("dual cutout makes two views of the same image", function()
  local batch = batch_of(behind(augment.dual_cutout { size = 4, color = 9 }))
  check.equal(#batch.image, 2)
  local plain, same = batch_of(before).image, 0
  local first, second = changed(plain, batch.image[1]), changed(plain, batch.image[2])
  for k = 1, COUNT do
    if table.concat(first[k], " ") == table.concat(second[k], " ") then same = same + 1 end
  end
  check.equal(same < 4, true)
  for i, chunk in ipairs(batch:chunks(2)) do
    for k = 1, 2 do
      check.equal(difference(chunk.image[k], batch.image[k]:narrow(1, 12 * i - 11, 12)), 0)
    end
  end
  check.raises(function() return batch_of(behind(augment.dual_cutout {}, augment.mixup {})).image end,
    "stage mixup:1 comes behind dual_cutout")
end)

check("the loss of two views", function()
  local a, b = icl.tensor { { 1, 2 }, { 0, 3 } }, icl.tensor { { 2, 0 }, { 1, 1 } }
  local labels = numbers(0, 1)
  local expected = (icl.loss.cross_entropy(a, labels, 0.2):item() + icl.loss.cross_entropy(b, labels, 0.2):item()) / 2
    + 0.3 * (1 + 4 + 1 + 4) / 4
  check.near(icl.loss.dual_cutout({ a, b }, labels, 0.3, 0.2):item(), expected, 1e-6)
  check.equal(icl.metrics.accuracy({ a, b }, labels):item(), 1)
  check.equal(icl.metrics.accuracy({ a, a * 1 }, labels):item(), 0.5)
  check.raises(function() icl.loss.dual_cutout(a, labels) end, "two views in a list")
end)

-- ---- draws ----

-- Mean, variance and kurtosis of values, the last two around 1/2, as Beta(a, a) has them.
local function moments(values)
  local mean, second, fourth = 0, 0, 0
  for _, value in ipairs(values) do
    local d = value - 0.5
    mean, second, fourth = mean + value, second + d * d, fourth + d ^ 4
  end
  return mean / #values, second / #values, fourth / #values
end

check("numbers of the Beta distribution", function()
  for _, a in ipairs { 1e-6, 0.01, 0.3, 0.5, 0.999, 1, 1.5, 4, 50, 1e6 } do
    local uniform, values = places.numbers { 1, 2, 3, math.floor(a * 1000) }, {}
    for i = 1, 20000 do
      values[i] = beta(uniform, a)
      check.equal(values[i] >= 0 and values[i] <= 1, true)
    end
    local variance = 1 / (4 * (2 * a + 1))
    local fourth = 3 * variance ^ 2 * (2 * a + 1) / (2 * a + 3)
    local mean, second, fourth_found = moments(values)
    check.near(mean, 0.5, 5 * math.sqrt(variance / #values))
    check.near(second / variance, 1, 5 * math.sqrt(2 / #values) + 1e-9)
    check.near(fourth_found / fourth, 1, 25 * math.sqrt(2 / #values))
  end
end)

check("Beta(1, 1) is uniform, Beta(1/2, 1/2) the arcsine distribution", function()
  for a, cumulative in pairs { [1] = function(x) return x end,
                               [0.5] = function(x) return 2 / math.pi * math.asin(math.sqrt(x)) end } do
    local uniform, values, largest = places.numbers { 4, 3, 2, 1 }, {}, 0
    for i = 1, 5000 do values[i] = beta(uniform, a) end
    table.sort(values)
    for i, value in ipairs(values) do largest = math.max(largest, math.abs(cumulative(value) - (i - 0.5) / #values)) end
    check.near(largest, 0, 1.95 / math.sqrt(#values))
  end
end)

check("numbers of a key", function()
  local first, again, other = places.numbers { 1, 2, 3, 4 }, places.numbers { 1, 2, 3, 4 },
    places.numbers { 1, 2, 3, 5 }
  local sum, equal = 0, 0
  for _ = 1, 4001 do
    local x = first()
    check.equal(x > 0 and x < 1, true)
    check.equal(x, again())
    equal = equal + (x == other() and 1 or 0)
    sum = sum + x
  end
  check.near(sum / 4001, 0.5, 0.02)
  check.equal(equal, 0)
end)

-- ---- steps ----

check("recorded in a step as at once, and no plan is made anew", function()
  for name, stages in pairs { cutout = { augment.cutout { size = 4 }, augment.random_erasing {} },
                              mixup = { augment.mixup {} }, cutmix = { augment.cutmix {} },
                              ricap = { augment.ricap {} }, dual_cutout = { augment.dual_cutout { size = 4 } } } do
    local chain, plans = augment.chain(behind(table.unpack(stages))), nil
    local loader = data.loader(set, { batch_size = 8, training = true, chain = chain })
    local run = icl.run { epochs = 4 }
    for epoch in run:epochs() do
      local kept = {}
      for batch in run:batches(loader) do
        local image = type(batch.image) == "table" and batch.image[2] or batch.image
        kept[#kept + 1] = { batch.index, image:keep(), batch.place }
        icl.loss.distribution(batch.target, COUNT):keep()
      end
      if epoch > 1 then check.equal(icl.statistics().plans_made, plans) end
      for number, pair in ipairs(kept) do
        local again = loader:batch(pair[1], epoch, number, nil, pair[3]).image
        again = type(again) == "table" and again[2] or again
        if difference(again, pair[2]) > 1e-6 then error(name) end
      end
      plans = icl.statistics().plans_made
    end
  end
end)

-- ---- options ----

local function trained(options)
  icl.random.seed(1)
  local model = icl.models.resnet_preact { depth = 8, initial_channels = 4, input = { 8, 8, 1 }, classes = 4 }
  local images, labels = {}, {}
  for k = 1, 48 do
    labels[k], images[k] = (k - 1) % 4, {}
    for i = 1, 8 do
      images[k][i] = {}
      for j = 1, 8 do
        local bright = (i > 4) == (labels[k] > 1) and (j > 4) == (labels[k] % 2 == 1)
        images[k][i][j] = { (bright and 180 or 60) + (7 * k + 3 * i + 5 * j) % 40 }
      end
    end
  end
  local own = data.set { images = icl.tensor(images, { dtype = "u8" }), labels = icl.tensor(labels, { dtype = "i64" }),
                         classes = 4, mean = { 0.35 }, std = { 0.2 } }
  local all = { epochs = 12, batch_size = 16, base_lr = 0.1, schedule = "cosine", random_crop = false, hflip = false }
  if options.cutout or options.dual_cutout then all.cutout_size = 2 end
  for name, value in pairs(options) do all[name] = value end
  local figures, parts = icl.fit { model = model, train = own, test = own, options = all, quiet = true }, {}
  for i, entry in ipairs(model:named_states()) do parts[i] = entry.state:bytes() end
  return figures, table.concat(parts)
end

check("fit learns with each of them", function()
  local _, plain = trained {}
  for _, name in ipairs { "cutout", "random_erasing", "dual_cutout", "mixup", "cutmix", "ricap" } do
    local figures, bytes = trained { [name] = true }
    if figures.test.top1 < 0.6 then error(("%s: accuracy %g"):format(name, figures.test.top1)) end
    check.equal(bytes == plain, false)
    local _, again = trained { [name] = true }
    check.equal(bytes == again, true)
  end
  for _, options in ipairs { { dual_cutout = true, cutout = true, label_smoothing = 0.1, subdivision = 2 },
                             { mixup = true, random_erasing = true, subdivision = 3 } } do
    check.equal(trained(options).test.top1 > 0.6, true)
  end
end)

check("what excludes each other", function()
  local names = { "dual_cutout", "mixup", "cutmix", "ricap" }
  for i = 1, #names do
    for j = i + 1, #names do
      local pair = names[i] .. " and " .. names[j] .. " exclude each other"
      check.raises(function() trained { [names[i]] = true, [names[j]] = true } end, pair)
      local words = { "--" .. names[j]:gsub("_", "-"), "--" .. names[i]:gsub("_", "-") }
      local values, message = icl.options "x":include(icl.options.augmentation):read(words)
      check.equal(values, nil)
      pair = ("--%s and --%s exclude each other"):format(names[i], names[j]):gsub("_", "-")
      check.equal(message:find(pair, 1, true) ~= nil, true)
    end
  end
end)

check("options of stages are checked", function()
  check.raises(function() augment.cutout { size = 0 } end, "augment.cutout: size is 0; it must be at least 1")
  check.raises(function() augment.cutout { prob = 1.5 } end, "at most 1")
  check.raises(function() augment.dual_cutout { siz = 3 } end, "augment.dual_cutout: .*did you mean size")
  check.raises(function() augment.random_erasing { area = { 0.4, 0.1 } } end, "area must be two numbers")
  check.raises(function() augment.random_erasing { area = { 0.4 } } end, "area must be two numbers")
  check.raises(function() augment.mixup { alpha = 0 } end, "augment.mixup: alpha")
  check.raises(function() augment.ricap { beta = 1 / 0 } end, "augment.ricap: beta")
  check.raises(function() augment.hflip { prob = -1 } end, "at least 0")
  check.raises(function() augment.normalize { mean = { 0 }, std = { 0 } } end, "normalize: std is 0; .*at least 1e%-06")
  local group = icl.options "x":include(icl.options.augmentation)
  local values, message = group:read { "--random-erasing", "--random-erasing-area", "0.4,0.1" }
  check.equal(values, nil)
  check.equal(message, "--random-erasing-area must be two numbers, the second not below the first")
end)

check("the options have the names and defaults of the published code", function()
  local expected = {
    random_crop = true, crop_padding = 4, crop_fill = 0, crop_padding_mode = "constant", hflip_prob = 0.5,
    cutout = false, cutout_prob = 1.0, cutout_size = 16, cutout_inside = false, cutout_color = 0.0,
    dual_cutout = false, dual_cutout_alpha = 0.1, random_erasing = false, random_erasing_prob = 0.5,
    random_erasing_min_aspect_ratio = 0.3, random_erasing_max_attempt = 20, mixup = false, mixup_alpha = 1.0,
    cutmix = false, cutmix_alpha = 1.0, ricap = false, ricap_beta = 0.3, label_smoothing = 0.0,
  }
  local defaults = icl.options.augmentation:defaults()
  for name, value in pairs(expected) do check.equal(defaults[name], value) end
  check.equal(table.concat(defaults.random_erasing_area, " "), "0.02 0.4")
  check.equal(defaults.hflip, nil)
end)

check("what a stage is given or returns in vain is an error", function()
  local function drawing(f)
    return function() augment.chain { function(_, rng) f(rng) end }(batch_of(before)) end
  end
  check.raises(drawing(function(rng) rng:uniform({ 2 }, 5, 6) end), "rng:uniform: 5 is an argument too many")
  check.raises(drawing(function(rng) rng:normal({ 2 }, 100) end), "rng:normal: 100 is an argument too many")
  check.raises(drawing(function(rng) rng:beta(1, 2) end), "rng:beta: 2 is an argument too many")
  check.raises(function() augment.chain { augment.hflip {}, nil, augment.cutout {} } end,
    "augment.chain: stage 2 is nil, and others come behind it")
  check.raises(function() augment.chain { function(b) return { image = b.image } end }(batch_of(before)) end,
    "stage 1, a function, returned a table, which nothing is done with")
  check.raises(function() augment.chain { function(b) b.image = 3 end }(batch_of(before)) end,
    "stage 1, a function, left 3 as batch.image")
  augment.chain { function(b) return b end }(batch_of(before))
end)

check.close()
