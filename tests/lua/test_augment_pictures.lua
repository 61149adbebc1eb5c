-- test_augment_pictures.lua: the stages on bytes: what they draw, which images they change, where they stand. Their
-- numbers are tested by tests/cli/test_augmentation.py.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"
local augment, data = icl.augment, icl.data

local COUNT, HEIGHT, WIDTH = 40, 12, 10

local function make_set(channels)
  local bytes, labels = {}, {}
  for i = 0, COUNT * HEIGHT * WIDTH * channels - 1 do bytes[i + 1] = string.char((i * 2654435761 >> 13) & 255) end
  for k = 1, COUNT do labels[k] = k - 1 end
  local numbers, shape = { 0.5, 0.4, 0.3 }, { COUNT, HEIGHT, WIDTH, channels }
  return data.set { images = icl.tensor(table.concat(bytes), { dtype = "u8", shape = shape }),
                    labels = icl.tensor(labels, { dtype = "i64" }), classes = COUNT, name = "own",
                    mean = { table.unpack(numbers, 1, channels) }, std = { table.unpack(numbers, 1, channels) } }
end

local sets = { [1] = make_set(1), [3] = make_set(3) }

-- The batch of the images behind the first `skipped`, in an epoch.
local function batch_of(stages, channels, skipped, epoch)
  local loader = data.loader(sets[channels or 3], { batch_size = 4, chain = augment.chain(stages) })
  skipped = skipped or 0
  return loader:batch(icl.arange(COUNT):narrow(1, skipped + 1, COUNT - skipped), epoch or 1, 1)
end

local function image_of(...) return batch_of(...).image end

-- How many images of a differ from those of b.
local function differing(a, b)
  local count = 0
  for _, different in ipairs(icl.ops.ne(a, b):float():max { 2, 3, 4 }:totable()) do count = count + different end
  return count
end

local plain = { [1] = image_of({}, 1), [3] = image_of({}, 3) }

-- Options with which a stage changes about every image.
local strong = {
  affine = {}, auto_augment = { policy = "svhn" }, autocontrast = { prob = 1 }, color_jitter = { hue = 0.3 },
  equalize = { prob = 1 }, gaussian_blur = {}, grayscale = { prob = 1 }, invert = { prob = 1 },
  perspective = { prob = 1 }, posterize = { prob = 1, bits = 2 }, rand_augment = {}, rotate = {},
  sharpness = { prob = 1 }, solarize = { prob = 1 }, trivial_augment = {}, vflip = { prob = 1 },
}

check("stages keep bytes and shape, and change images of both depths", function()
  icl.random.seed(1)
  for name, options in pairs(strong) do
    for channels = 1, 3, 2 do
      local x = image_of({ augment[name](options) }, channels)
      check.equal(x:dtype(), "u8")
      check.equal(table.concat(x:shape(), " "), table.concat(plain[channels]:shape(), " "))
      local count = differing(x, plain[channels])
      if name == "grayscale" and channels == 1 then
        check.equal(count, 0)
      elseif name ~= "autocontrast" and name ~= "equalize" and count < COUNT / 3 then
        error(("%s changed %d images of %d channels"):format(name, count, channels))
      end
    end
  end
end)

check("what is drawn for an image depends on seed, epoch and image, not on its batch", function()
  for name, options in pairs(strong) do
    local stages = { augment[name](options) }
    icl.random.seed(5)
    local all, some, next_epoch = image_of(stages), image_of(stages, 3, 7), image_of(stages, 3, 0, 2)
    check.equal(differing(all:narrow(1, 8, COUNT - 7), some), 0)
    local random = options.prob ~= 1 or name == "perspective"
    check.equal(differing(all, next_epoch) > 0, random)
    icl.random.seed(6)
    check.equal(differing(all, image_of(stages)) > 0, random)
  end
end)

check("prob chooses images", function()
  icl.random.seed(2)
  for _, name in ipairs { "color_jitter", "gaussian_blur", "grayscale", "perspective", "solarize", "vflip" } do
    check.equal(differing(image_of { augment[name] { prob = 0 } }, plain[3]), 0)
    local count = differing(image_of { augment[name] { prob = 0.5 } }, plain[3])
    check.equal(count > 5 and count < COUNT - 5, true)
  end
end)

check("two stages of one kind draw different numbers", function()
  local once, twice = image_of { augment.rotate {} }, image_of { augment.rotate {}, augment.rotate {} }
  check.equal(differing(once, twice) > COUNT / 2, true)
end)

check("a step computes the same in parts of the batch", function()
  local stages = { augment.rand_augment {}, augment.color_jitter { hue = 0.1 }, augment.gaussian_blur {},
                   augment.normalize {} }
  icl.random.seed(4)
  local whole = image_of(stages)
  local parts = icl.step(function()
    local images = {}
    for i, part in ipairs(batch_of(stages):chunks(3)) do images[i] = part.image end
    return icl.concat(images, 1)
  end)
  check.equal((whole - parts):abs():max():item(), 0)
end)

check("sigma, angles and corners are within their limits", function()
  local rng = { uniform = function(_, shape) return icl.ones(shape) * 0.999999 end,
                randint = function(_, _, high, shape) return icl.full(shape, high, "i64") end }
  local draws = augment.affine { degrees = 30, translate = { 0.5, 0.25 }, scale = { 0.5, 2 }, shear = { 3, 4 } }
    :draw(rng, plain[3])
  check.near(draws.angle:totable()[1], 30, 1e-3)
  check.equal(draws.move_x:totable()[1], 5)
  check.equal(draws.move_y:totable()[1], 3)
  check.near(draws.scale:totable()[1], 2, 1e-3)
  check.near(draws.shear_y:totable()[1], 4, 1e-3)
  local corners = augment.perspective { distortion = 0.5 }:draw(rng, plain[3])
  check.equal(corners[1].x:totable()[1], 2)
  check.equal(corners[3].x:totable()[1], WIDTH - 3)
  check.equal(corners[3].y:totable()[1], HEIGHT - 4)
end)

check("the policy of auto_augment is that of the set, unless it is given", function()
  local function image_as(name, options)
    local set = setmetatable({ name = name }, { __index = sets[3] })
    local chain = augment.chain { augment.auto_augment(options) }
    return data.loader(set, { batch_size = 4, chain = chain }):batch(icl.arange(COUNT), 1, 1).image
  end
  icl.random.seed(3)
  local imagenet, cifar = image_as("own", { policy = "imagenet" }), image_as("own", { policy = "cifar10" })
  check.equal(differing(imagenet, cifar) > 0, true)
  for name, right in pairs { cifar10 = cifar, cifar100 = cifar, imagenet = imagenet, folder = imagenet } do
    check.equal(differing(image_as(name), right), 0)
  end
  check.equal(differing(image_as("cifar10", { policy = "imagenet" }), imagenet), 0)
  local stage = augment.auto_augment {}  -- used for one set after another
  for _, name in ipairs { "cifar10", "folder", "cifar100" } do
    local set = setmetatable({ name = name }, { __index = sets[3] })
    local x = data.loader(set, { batch_size = 4, chain = augment.chain { stage } }):batch(icl.arange(COUNT), 1, 1).image
    check.equal(differing(x, name == "folder" and imagenet or cifar), 0)
  end
end)

check("sines and cosines", function()
  local degrees = { -180, -120.5, -45, 0, 1e-3, 30, 89, 179.9 }
  local c, s = require "icl.augment.angles".of(icl.tensor(degrees, { dtype = "f64" }))
  for i, angle in ipairs(degrees) do
    check.near(c:totable()[i], math.cos(math.rad(angle)), 1e-14)
    check.near(s:totable()[i], math.sin(math.rad(angle)), 1e-14)
  end
end)

check("what does not fit is an error that says so", function()
  check.raises(function() augment.gaussian_blur { kernel_size = 4 } end, "kernel_size must be odd")
  check.raises(function() return image_of { augment.gaussian_blur { kernel_size = 21 } } end, "at most 19")
  check.raises(function() augment.rand_augment { magnitude = 31 } end, "magnitude must be below num_magnitude_bins")
  check.raises(function() augment.auto_augment { policy = "mnist" } end, "imagenet, cifar10, svhn")
  check.raises(function() augment.affine { scale = { 2, 1 } } end, "scale must begin with the smaller number")
  check.raises(function() augment.affine { shear = { 2 } } end, "shear must be two numbers")
  check.raises(function() augment.color_jitter { brightness = 0, contrast = 0, saturation = 0 } end, "must be above")
  check.raises(function() return image_of { augment.normalize {}, augment.rotate {} } end, "x must be u8")
end)

-- ---- mixup or cutmix ----

local function kinds_of(stage, epoch)
  local counts = { mixup = 0, cutmix = 0, none = 0 }
  for number = 1, 200 do
    local rng = { numbers = function()
      local next_number = 0
      return function()
        next_number = next_number + 1
        return ((number * 7 + next_number * 3) % 20 + 0.5) / 20
      end
    end }
    local chosen = stage:choice(epoch, rng)
    local kind = chosen and chosen.name or "none"
    counts[kind] = counts[kind] + 1
  end
  return counts
end

check("mixup or cutmix with their probabilities, and off behind an epoch", function()
  local counts = kinds_of(augment.mixup_or_cutmix {}, 1)
  check.equal(counts.mixup, 100)
  check.equal(counts.cutmix, 100)
  counts = kinds_of(augment.mixup_or_cutmix { prob = 0.5, switch_prob = 1 }, 1)
  check.equal(counts.none, 100)
  check.equal(counts.cutmix, 100)
  local stage = augment.mixup_or_cutmix { off_epoch = 3 }
  check.equal(kinds_of(stage, 3).none, 0)
  check.equal(kinds_of(stage, 4).none, 200)
end)

check("a batch of mixup or cutmix is one of the two", function()
  local target = batch_of { augment.normalize {}, augment.mixup_or_cutmix {} }.target
  check.equal(#target.weights, 2)
  check.near(target.weights[1] + target.weights[2], 1, 1e-12)
  check.equal(type(batch_of { augment.normalize {}, augment.mixup_or_cutmix { prob = 0 } }.target), "userdata")
end)

-- ---- options ----

check("options make stages in their order", function()
  local options = icl.options "test" : include(icl.options.data, icl.options.augmentation, icl.options.runtime)
  local function chain_of(...)
    local words = { "--no-random-crop", "--no-hflip", ... }
    return tostring(augment.from_options(options:parse(words), sets[3], { training = true }))
  end
  local text = chain_of("--gaussian-blur", "--grayscale", "--color-jitter", "--rand-augment",
    "--rand-augment-magnitude", "5", "--rotate", "--vflip", "--mixup-or-cutmix")
  local place = 0
  for _, name in ipairs { "vflip", "rotate", "rand_augment", "color_jitter", "grayscale", "gaussian_blur", "normalize",
                          "mixup_or_cutmix" } do
    local found = text:find(name .. "(", 1, true)
    check.equal(found and found > place, true)
    place = found
  end
  check.equal(text:find("magnitude 5", 1, true) ~= nil, true)
  check.equal(chain_of("--auto-augment", "--auto-augment-policy", "svhn"):find("policy svhn", 1, true) ~= nil, true)
end)

check.close()
