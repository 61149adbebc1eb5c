-- report/predictions.lua: what predictions.npz of a run says: which images were taken for what.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local exists = require "icl.internal.exists"

local ops = core.ops

local predictions = {}

-- predictions.path(run) -> where the file of a run is, if it is there.
function predictions.path(run)
  local path = run.path .. "/predictions.npz"
  return exists(path) and path or nil
end

local function checked(contents)
  local shares, truth = contents.probabilities, contents.truth
  arguments.tensor("probabilities", shares)
  arguments.tensor("truth", truth)
  if shares:rank() ~= 2 or truth:rank() ~= 1 or shares:size(1) ~= truth:size(1) or truth:size(1) == 0 then
    error("probabilities must be of shape (images, classes), truth of shape (images)", 0)
  end
  return shares:cast "f32", truth:cast "i64"
end

local function read(path)
  local contents = core.npz_read(path)
  local shares, truth = checked(contents)
  local classes = shares:size(2)
  for _, class in ipairs(truth:totable()) do
    if class < 0 or class >= classes then error(("truth has the class %d of %d"):format(class, classes), 0) end
  end
  local own = ops.where(ops.one_hot(truth, { classes = classes }), shares, 0):sum(-1)
  return {
    count = truth:size(1), classes = classes, names = type(contents.names) == "table" and contents.names or {},
    truth = truth:totable(), guess = shares:argmax(-1):totable(), sure = shares:max(-1):totable(),
    own = own:totable(),
  }
end

-- predictions.read(path) -> { count =, classes =, names = list, and for each image truth and guess (classes from 0),
-- sure (the probability of the guess) and own (that of the truth) }; nil and a message.
function predictions.read(path)
  local ok, result = pcall(read, path)
  if ok then return result end
  return nil, ("%s: %s"):format(path, result)
end

-- predictions.confusion(found) -> counts[truth][guess] from 0, with [truth].total.
function predictions.confusion(found)
  local counts = {}
  for class = 0, found.classes - 1 do counts[class] = { total = 0 } end
  for i, truth in ipairs(found.truth) do
    local row, guess = counts[truth], found.guess[i]
    row[guess], row.total = (row[guess] or 0) + 1, row.total + 1
  end
  return counts
end

-- predictions.confused(counts, limit) -> list of { truth =, guess =, count = } of the mistakes that occur most often.
function predictions.confused(counts, limit)
  local list = {}
  for truth, row in pairs(counts) do
    for guess, count in pairs(row) do
      if guess ~= "total" and guess ~= truth then
        list[#list + 1] = { truth = truth, guess = guess, count = count }
      end
    end
  end
  table.sort(list, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    if a.truth ~= b.truth then return a.truth < b.truth end
    return a.guess < b.guess
  end)
  return table.move(list, 1, math.min(limit, #list), 1, {})
end

-- predictions.worst(found, limit) -> the numbers, from 1, of the wrong images whose truth was least probable.
function predictions.worst(found, limit)
  local list = {}
  for i, truth in ipairs(found.truth) do
    if found.guess[i] ~= truth then list[#list + 1] = i end
  end
  table.sort(list, function(a, b)
    if found.own[a] ~= found.own[b] then return found.own[a] < found.own[b] end
    return a < b
  end)
  return table.move(list, 1, math.min(limit, #list), 1, {})
end

return predictions
