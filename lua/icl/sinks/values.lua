-- sinks/values.lua: the values that a run logs and reports: what they are called, and which of them are told.
local numbers = require "icl.internal.numbers"

local values = {}

-- In the order in which they are told: the name, what people read, and the end of TensorBoard's tag.
local known = {
  { name = "loss", text = "loss", tag = "Loss" },
  { name = "top1", text = "acc@1", tag = "Acc1" },
  { name = "top5", text = "acc@5", tag = "Acc5" },
  { name = "lr", tag = "LearningRate" },
}

local by_name = {}
for _, value in ipairs(known) do by_name[value.name] = value end

-- values.is_due(loop, period) -> are the values of this pass told? Every `period` steps of training; 0: never.
function values.is_due(loop, period)
  return period > 0 and loop.loader.training == true and loop.number % period == 0
end

-- values.images(loop) -> the images of a whole pass, of all processes.
function values.images(loop)
  return loop.loader.global_batch_size or loop.loader.batch_size
end

-- values.tag(name) -> "Loss" for "loss", "ImagesPerSecond" for "images_per_second", "TestEma" for "test ema".
function values.tag(name)
  if by_name[name] then return by_name[name].tag end
  return (name:gsub("^%l", string.upper):gsub("[_ ](%w)", string.upper))
end

-- values.names(list) -> the names of a table's numbers: the known ones first, others sorted.
function values.names(list)
  local names, others = {}, {}
  for _, value in ipairs(known) do
    if type(list[value.name]) == "number" then names[#names + 1] = value.name end
  end
  for name, value in pairs(list) do
    if type(value) == "number" and not by_name[name] then others[#others + 1] = name end
  end
  table.sort(others)
  return table.move(others, 1, #others, #names + 1, names)
end

-- values.line(run, loop) -> the line of a pass: "Epoch 3 Step 100/390 lr 0.1 loss 1.2345 (1.3456)", each value as it
-- was in this pass and, in brackets, its average in the loop so far.
function values.line(run, loop)
  local parts = { ("Epoch %d Step %d/%d"):format(run.epoch, loop.number, loop.loader.batches) }
  if run.last.lr then parts[2] = numbers.format("lr %.6g", run.last.lr) end
  for _, name in ipairs(values.names(run.last)) do
    if name ~= "lr" then
      local text = by_name[name] and by_name[name].text or name
      parts[#parts + 1] = numbers.format("%s %.4f (%.4f)", text, run.last[name], run.average[name])
    end
  end
  return table.concat(parts, " ")
end

return values
