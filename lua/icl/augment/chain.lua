-- augment/chain.lua: stages one after another, applied to the batches of a loader.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local stage = require "icl.augment.stage"
local new_rng = require "icl.augment.rng"

local function check_stages(stages)
  arguments.typed("augment.chain", stages, "table", "a list of stages")
  if getmetatable(stages) ~= nil then fail "augment.chain: it takes a list of stages: augment.chain { stage, ... }" end
  for i = 1, #stages do
    if stages[i] == nil then fail("augment.chain: stage %d is nil, and others come behind it", i) end
  end
  for key, item in pairs(stages) do
    if math.type(key) ~= "integer" or key < 1 or key > #stages then
      fail("augment.chain: %s = ... has no place in the order; write the stages one after another", tostring(key))
    elseif stage.is_class(item) then
      fail("augment.chain: stage %d is the constructor of %s; call it: augment.%s {}", key, item.name, item.name)
    elseif type(item) ~= "function" and not (type(item) == "table" and (item.apply or item.decoding)) then
      fail("augment.chain: stage %d is %s; it must be a stage or a function(batch, rng)", key,
        arguments.described(item))
    end
  end
end

-- The stages with names that differ, so that no two of them share draws.
local function named(stages)
  local list, seen = {}, {}
  for i, item in ipairs(stages) do
    local what = ("augment.chain: stage %d, a function,"):format(i)
    local name, apply = "function", function(batch, rng) stage.call(what, item, batch, rng) end
    if type(item) == "table" then
      name, apply = item.name, function(batch, rng) item:apply(batch, rng) end
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

-- "random_crop(padding 4) hflip() function"
local function described(stages)
  local texts = {}
  for i, item in ipairs(stages) do texts[i] = type(item) == "table" and tostring(item) or "function" end
  return table.concat(texts, " ")
end

-- icl.augment.chain { stages... } -> chain(batch) applies them in order to a batch of a loader; chain.decoder is the
-- stage that decodes, if there is one.
local function chain(stages, ...)
  arguments.no_more("augment.chain", "one list of stages", ...)
  check_stages(stages)
  local rest, decoder = split(stages)
  local list = named(rest)
  return setmetatable({ decoder = decoder }, {
    __call = function(_, batch) apply(list, batch, #list + 1) end,
    __tostring = function() return described(stages) end,
  })
end

return chain
