-- data/order.lua: which images an epoch of a training takes, in which order.
--
-- An image may come several times in an epoch: where images are sampled by weight, and where each is repeated. Then
-- what is drawn for it differs from time to time: draws are made for a number of its own, `id`, which is that of the
-- image plus k times the images that the whole set has, where it comes for time k, from 0.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local places = require "icl.internal.places"

local order = {}

-- One number for each image of a set, from a list or a tensor, as a list.
local function list_of(weights)
  if type(weights) == "userdata" then return weights:totable() end
  return arguments.typed("icl.data.loader: weights", weights, "table", "a list or a tensor, a number for each image")
end

-- The labels of the images of a set, a list.
local function labels_of(set)
  return (set.indices and core.ops.gather(set.labels, set.indices) or set.labels):totable()
end

-- order.balanced(set) -> weights that make all classes of a set as frequent.
function order.balanced(set)
  local labels, counts, weights = labels_of(set), {}, {}
  for _, label in ipairs(labels) do counts[label] = (counts[label] or 0) + 1 end
  for i, label in ipairs(labels) do weights[i] = 1 / counts[label] end
  return weights
end

-- order.sums(set, weights) -> list of the sums of the first 1, 2, ... weights; an error unless there is one for each
-- image, none is negative, and one is above 0.
function order.sums(set, weights)
  local list, sums, sum = list_of(weights), {}, 0
  if #list ~= set.count then
    fail("icl.data.loader: there are %d weights for %d images of the set", #list, set.count)
  end
  for i, weight in ipairs(list) do
    if type(weight) ~= "number" or not (weight >= 0 and weight < math.huge) then
      fail("icl.data.loader: weight %d is %s; it must be a number from 0 on", i, arguments.described(weight))
    end
    sum = sum + weight
    sums[i] = sum
  end
  if sum == 0 then fail "icl.data.loader: all weights are 0; one must be above" end
  if sum == math.huge then fail "icl.data.loader: the sum of the weights is too large for a number; scale them" end
  return sums
end

-- The first place whose sum is above x.
local function find(sums, x)
  local low, high = 1, #sums
  while low < high do
    local middle = (low + high) // 2
    if sums[middle] > x then high = middle else low = middle + 1 end
  end
  return low
end

-- order.sampled(sums, epoch) -> as many places, from 0, as there are weights, drawn by weight.
function order.sampled(sums, epoch)
  local draw, total, list = places.numbers(places.words("sample", epoch)), sums[#sums], {}
  for i = 1, #sums do list[i] = find(sums, draw() * total) - 1 end
  return core.new_tensor(list, "i64")
end

-- order.repeated(positions, repeats) -> each of the first positions `repeats` times, one after the other, as many as
-- there were in all.
function order.repeated(positions, repeats)
  local count, list = positions:size(1), positions:totable()
  local result = {}
  for i = 1, count do result[i] = list[(i - 1) // repeats + 1] end
  return core.new_tensor(result, "i64")
end

-- order.ids(index, total) -> the ids of these images, of a set that has `total` as a whole.
function order.ids(index, total)
  local times, ids = {}, {}
  for i, number in ipairs(index:totable()) do
    local time = times[number] or 0
    times[number] = time + 1
    ids[i] = number + time * total
  end
  return core.new_tensor(ids, "i64")
end

return order
