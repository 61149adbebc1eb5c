-- evaluation/figures.lua: figures about predictions: loss, accuracies with intervals, classes, confusions.
local figures = {}

local Z = 1.959963984540054  -- 95 % of the normal distribution lie within so many standard deviations

-- figures.wilson(hits, count) -> the fraction, and the 95 % confidence interval around it (Wilson 1927).
function figures.wilson(hits, count)
  if count == 0 then return 0, 0, 1 end
  local p, z2 = hits / count, Z * Z
  local middle = (p + z2 / (2 * count)) / (1 + z2 / count)
  local half = Z * math.sqrt(p * (1 - p) / count + z2 / (4 * count * count)) / (1 + z2 / count)
  return p, math.max(middle - half, 0), math.min(middle + half, 1)
end

local function fraction(hits, count)
  local value, low, high = figures.wilson(hits, count)
  return { value = value, low = low, high = high, correct = hits, count = count }
end

-- A square of zeros.
local function square(size)
  local rows = {}
  for i = 1, size do
    rows[i] = {}
    for k = 1, size do rows[i][k] = 0 end
  end
  return rows
end

local function mean(list)
  local total = 0
  for _, value in ipairs(list) do total = total + value end
  return total / math.max(#list, 1)
end

local function top(found, k)
  local hits = 0
  for _, rank in ipairs(found.ranks) do
    if rank < k then hits = hits + 1 end
  end
  return fraction(hits, found.count)
end

-- figures.of(found, names) -> { count, loss, top1, top5 (nil for 5 classes or fewer), classes = list of { name, images,
-- accuracy }, confusion = rows of counts: confusion[truth][predicted], from 1 }. found: of predictions.over; names: of
-- the classes. An accuracy is { value, low, high, correct, count }.
function figures.of(found, names)
  local result = { count = found.count, loss = mean(found.losses), top1 = top(found, 1), classes = {} }
  if #names > 5 then result.top5 = top(found, 5) end
  local confusion = square(#names)
  for i, truth in ipairs(found.truth) do
    local row, column = confusion[truth + 1], found.predicted[i] + 1
    row[column] = row[column] + 1
  end
  for i, name in ipairs(names) do
    local images = 0
    for _, count in ipairs(confusion[i]) do images = images + count end
    result.classes[i] = { name = name, images = images, accuracy = fraction(confusion[i][i], images) }
  end
  result.confusion = confusion
  return result
end

-- figures.mistakes(figures) -> list of { truth =, predicted =, count = }, numbers of classes from 1, the most frequent
-- first.
function figures.mistakes(of)
  local list = {}
  for truth, row in ipairs(of.confusion) do
    for predicted, count in ipairs(row) do
      if truth ~= predicted and count > 0 then
        list[#list + 1] = { truth = truth, predicted = predicted, count = count }
      end
    end
  end
  table.sort(list, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    if a.truth ~= b.truth then return a.truth < b.truth end
    return a.predicted < b.predicted
  end)
  return list
end

return figures
