-- evaluation/predictions.lua: what a network says about each image of a set.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local metrics = require "icl.metrics"
local step = require "icl.step"
local utf8_text = require "icl.internal.utf8_text"

local predictions = {}

-- The logits of a batch; with `views` the mean of those of the views of the images.
local function logits_of(net, images, views)
  if not views then return net(images) end
  local logits = {}
  for i, view in ipairs(views(images)) do logits[i] = net(view) end
  return metrics.mean_of_views(logits)
end

local function append(list, tensor)
  for _, value in ipairs(tensor:totable()) do list[#list + 1] = value end
end

local MOST = 8  -- inputs of an op

-- Tensors one behind another along the first axis.
local function joined(list)
  while #list > 1 do
    local next_list = {}
    for first = 1, #list, MOST do
      local inputs = table.move(list, first, math.min(first + MOST - 1, #list), 1, {})
      inputs[#inputs + 1] = { dim = 1 }
      next_list[#next_list + 1] = core.ops.concat(table.unpack(inputs))
    end
    list = next_list
  end
  return list[1]
end

-- An error where the network computed no numbers, of which figures would say nothing.
local function check_finite(losses)
  local bad = 0
  for _, loss in ipairs(losses) do
    if loss ~= loss then bad = bad + 1 end
  end
  if bad > 0 then
    fail("what the network computes is not finite for %d of %d images; its weights, or the mean and deviation of "
      .. "images, are not those of a trained network", bad, #losses)
  end
end

-- predictions.over(net, loader [, { views = function(images) -> list, keep = false, progress = function(images) }]) ->
-- { count, truth, predicted (labels from 0), ranks (how many classes are ahead of the truth), losses: lists, one entry
-- for each image in the order of the set; probabilities = f32 (n, classes), with keep }.
function predictions.over(net, loader, options)
  options = options or {}
  local found = { count = loader.set.count, truth = {}, predicted = {}, ranks = {}, losses = {} }
  local kept, seen = {}, 0
  for index, number, decoded in loader:indices(1) do
    local truth, predicted, ranks, losses, probabilities = step(function()
      local batch = loader:batch(index, 1, number, decoded)
      local logits, labels = logits_of(net, batch.image, options.views), batch.target
      local target = core.ops.one_hot(labels, { classes = logits:size(2) })
      return labels, logits:argmax(), metrics.ranks(logits, labels), core.ops.cross_entropy(logits, target),
        options.keep and logits:softmax() or nil
    end)
    append(found.truth, truth)
    append(found.predicted, predicted)
    append(found.ranks, ranks)
    append(found.losses, losses)
    kept[#kept + 1] = probabilities
    seen = seen + truth:size(1)
    if options.progress then options.progress(seen) end
  end
  check_finite(found.losses)
  found.probabilities = options.keep and joined(kept) or nil
  return found
end

-- predictions.names(set) -> the name of each image of a set, in UTF-8: its file, or its number from 0.
function predictions.names(set)
  local numbers, names = set.indices and set.indices:totable(), {}
  for i = 1, set.count do
    local number = numbers and numbers[i] or i - 1
    names[i] = set.folder and utf8_text(set.folder:file(number)) or tostring(number)
  end
  return names
end

return predictions
