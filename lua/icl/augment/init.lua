-- augment: what happens to the images of a batch between the set and the network, as recorded ops.
--
--   local chain = augment.chain {
--     augment.random_crop { padding = 4 }, augment.hflip {}, augment.normalize {}, augment.cutout { size = 16 },
--     function(batch, rng) batch.image = batch.image + 0.01 * rng:normal(batch.image:shape()) end,
--   }
--
-- A chain is a list of stages; a stage is one of those below or a function(batch, rng) that changes batch.image or
-- batch.target. Draws are those of augment/rng.lua. For an image folder the first stage may be center_crop or
-- random_resized_crop, which say how files become images; all other stages are recorded ops.
local fail = require "icl.fail"
local new_rng = require "icl.augment.rng"

local augment = {}

-- The stages with names that differ, so that no two of them share draws.
local function named(stages)
  local list, seen = {}, {}
  for i, item in ipairs(stages) do
    local name, apply = "function", item
    if type(item) == "table" and item.apply then
      name, apply = item.name, function(batch, rng) item:apply(batch, rng) end
    elseif type(item) ~= "function" then
      fail("augment.chain: stage %d is a %s; it must be a stage or a function(batch, rng)", i, type(item))
    end
    seen[name] = (seen[name] or 0) + 1
    list[i] = { name = name .. ":" .. seen[name], apply = apply, accepts_views = name == "function" }
  end
  return list
end

-- The stages without a first one that decodes, and that one.
local function split(stages)
  local first = stages[1]
  local decoder = type(first) == "table" and first.decoding and first or nil
  local rest = table.move(stages, decoder and 2 or 1, #stages, 1, {})
  for _, item in ipairs(rest) do
    if type(item) == "table" and item.decoding then
      fail("augment.chain: stage %s decodes the files of an image folder; it can only be the first", item.name)
    end
  end
  return rest, decoder
end

-- Applies the stages before number `last` to a batch.
local function apply(stages, batch, last)
  local rng = new_rng(batch, function(other, number) apply(stages, other, number) end)
  for number = 1, last - 1 do
    local item = stages[number]
    if type(batch.image) == "table" and not item.accepts_views then
      fail("augment.chain: stage %s comes behind dual_cutout, which makes two images of each; put it before that",
        item.name)
    end
    rng:enter(number, item.name)
    item.apply(batch, rng)
  end
end

-- augment.chain { stages... } -> chain(batch) applies them in order to a batch of a loader; chain.decoder is the stage
-- that decodes, if there is one.
function augment.chain(stages)
  local rest, decoder = split(stages)
  local list = named(rest)
  return setmetatable({ decoder = decoder }, { __call = function(_, batch) apply(list, batch, #list + 1) end })
end

local not_mirrored = { mnist = true, kmnist = true }

-- Those of the option group in the order of their stages, and what the names of their options begin with.
local behind_normalize = {
  { "cutout", "cutout_" }, { "random_erasing", "random_erasing_" }, { "dual_cutout", "cutout_" },
  { "mixup", "mixup_" }, { "cutmix", "cutmix_" }, { "ricap", "ricap_" },
}

-- augment.training(options, set) -> the chain that the option groups `augmentation` and `runtime` ask for.
function augment.training(options, set)
  local problem = require "icl.options".augmentation:problem(options)
  if problem then fail("augmentation: %s", problem) end
  local stages, mirror = {}, options.hflip
  if mirror == nil then mirror = not not_mirrored[set.name] end
  local function add(name, prefix)
    local class = augment[name]
    stages[#stages + 1] = class(class.options:select(options, prefix))
  end
  if options.random_crop then add(set.folder and "random_resized_crop" or "random_crop", "crop_") end
  if mirror then add("hflip", "hflip_") end
  stages[#stages + 1] = augment.normalize { dtype = options.precision }
  for _, row in ipairs(behind_normalize) do
    if options[row[1]] then add(row[1], row[2]) end
  end
  return augment.chain(stages)
end

-- augment.evaluation(options, set) -> the chain without random stages.
function augment.evaluation(options, set)
  local normalize = augment.normalize { dtype = options.precision }
  if not set.folder then return augment.chain { normalize } end
  return augment.chain { augment.center_crop { resize = options.eval_resize }, normalize }
end

return require "icl.lazy"(augment, "icl.augment", {
  "center_crop", "cutmix", "cutout", "dual_cutout", "hflip", "mixup", "normalize", "random_crop", "random_erasing",
  "random_resized_crop", "ricap",
})
