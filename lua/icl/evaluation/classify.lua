-- evaluation/classify.lua: pictures of any size through a network.
local core = require "icl.core"

local BATCH = 8  -- pictures at a time: as many as an op joins

-- The pictures that can be read, as one batch, and their paths; report(path, message) is told of the others.
local function read(net, paths, report)
  local images, readable = {}, {}
  for _, path in ipairs(paths) do
    local ok, image = pcall(net.image, net, path)
    if ok then
      images[#images + 1], readable[#readable + 1] = image, path
    else
      report(path, tostring(image))
    end
  end
  if #images < 2 then return images[1], readable end
  images[#images + 1] = { dim = 1 }
  return core.ops.concat(table.unpack(images)), readable
end

-- The classes of one picture, the most probable first: list of { label = from 0, probability =, class = its name }.
local function ranked(net, probabilities, count)
  local list, names = {}, net.class_names or {}
  for i, value in ipairs(probabilities) do
    list[i] = { label = i - 1, probability = value, class = names[i] or tostring(i - 1) }
  end
  table.sort(list, function(a, b)
    if a.probability ~= b.probability then return a.probability > b.probability end
    return a.label < b.label
  end)
  return table.move(list, 1, math.min(count, #list), 1, {})
end

local function are_numbers(list)
  for _, value in ipairs(list) do
    if value ~= value then return false end
  end
  return true
end

-- classify(net, paths, { top =, each = function(path, list), failed = function(path, message) }): calls each with the
-- classes of each picture, the most probable first, { { label =, probability =, class = its name }, ... }.
local function classify(net, paths, options)
  for first = 1, #paths, BATCH do
    local some = table.move(paths, first, math.min(first + BATCH - 1, #paths), 1, {})
    local images, readable = read(net, some, options.failed)
    local probabilities = images and net(images):softmax():totable() or {}
    for i, path in ipairs(readable) do
      if are_numbers(probabilities[i]) then
        options.each(path, ranked(net, probabilities[i], options.top))
      else
        options.failed(path, path .. ": what the network computes for it is not finite")
      end
    end
  end
end

return classify
