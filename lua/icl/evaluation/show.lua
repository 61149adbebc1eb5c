-- evaluation/show.lua: figures as text for a terminal, and as comma-separated values.
local core = require "icl.core"
local figures = require "icl.evaluation.figures"
local grid = require "icl.internal.grid"
local numbers = require "icl.internal.numbers"
local csv_row = require "icl.evaluation.csv"

local show = {}

local CLASSES = 12    -- the most whose confusion matrix is shown
local WORST = 10      -- classes, and mistakes, that are shown of more
local NAME = 12       -- letters of a name at the head of a column

local function percent(value)
  return numbers.format("%.2f %%", 100 * value)
end

local function interval(accuracy)
  return numbers.format("%.2f to %.2f", 100 * accuracy.low, 100 * accuracy.high)
end

-- The classes in the order in which they are shown: all of a few, the worst of many.
local function chosen(classes)
  local order = {}
  for i in ipairs(classes) do order[i] = i end
  if #classes <= CLASSES then return order end
  table.sort(order, function(a, b)
    local x, y = classes[a].accuracy.value, classes[b].accuracy.value
    if x ~= y then return x < y end
    return a < b
  end)
  return table.move(order, 1, WORST, 1, {})
end

local function classes_table(of)
  local rows = { { "class", "images", "correct", "accuracy", "95 % interval" } }
  for _, i in ipairs(chosen(of.classes)) do
    local class = of.classes[i]
    rows[#rows + 1] = { class.name, tostring(class.images), tostring(class.accuracy.correct),
                        class.images > 0 and percent(class.accuracy.value) or "",
                        class.images > 0 and interval(class.accuracy) or "" }
  end
  return grid(rows)
end

-- A name of at most NAME letters.
local function short(name)
  local behind = utf8.len(name) and utf8.offset(name, NAME + 1)
  return behind and behind <= #name and name:sub(1, utf8.offset(name, NAME) - 1) .. "~" or name
end

local function confusion_table(of)
  local rows = { { "" } }
  for _, class in ipairs(of.classes) do rows[1][#rows[1] + 1] = short(class.name) end
  for i, counts in ipairs(of.confusion) do
    rows[i + 1] = { short(of.classes[i].name) }
    for k, count in ipairs(counts) do rows[i + 1][k + 1] = count > 0 and tostring(count) or "." end
  end
  return grid(rows)
end

local function mistakes_table(of)
  local rows = { { "images", "of class", "taken for" } }
  for i, mistake in ipairs(figures.mistakes(of)) do
    if i > WORST then break end
    rows[#rows + 1] = { tostring(mistake.count), of.classes[mistake.truth].name, of.classes[mistake.predicted].name }
  end
  return grid(rows)
end

-- show.text(figures) -> lines for a terminal.
function show.text(of)
  local lines = { numbers.format("Loss   %.4f", of.loss) }
  for _, entry in ipairs { { "Top-1", of.top1 }, { "Top-5", of.top5 } } do
    if entry[2] then
      lines[#lines + 1] = ("%s  %s (95 %% interval: %s; %d of %d images)"):format(entry[1], percent(entry[2].value),
        interval(entry[2]), entry[2].correct, entry[2].count)
    end
  end
  local few = #of.classes <= CLASSES
  lines[#lines + 1] = ""
  if not few then lines[#lines + 1] = ("The %d worst of %d classes:"):format(WORST, #of.classes) end
  lines[#lines + 1] = classes_table(of)
  if few then
    lines[#lines + 1] = "Images by class (rows) and what they were taken for (columns):"
    lines[#lines + 1] = confusion_table(of)
  elseif #figures.mistakes(of) > 0 then
    lines[#lines + 1] = "The most frequent mistakes; --json and --csv FILE have all:"
    lines[#lines + 1] = mistakes_table(of)
  end
  return table.concat(lines, "\n")
end

-- show.csv(figures) -> a line for each class: images, accuracy, and how many were taken for each class.
function show.csv(of)
  local head = { "class", "images", "correct", "accuracy", "low", "high" }
  for _, class in ipairs(of.classes) do head[#head + 1] = "as " .. class.name end
  local lines = { csv_row(head) }
  for i, class in ipairs(of.classes) do
    local a = class.accuracy
    local cells = { class.name, class.images, a.correct, a.value, a.low, a.high }
    lines[i + 1] = csv_row(table.move(of.confusion[i], 1, #of.classes, #cells + 1, cells))
  end
  return table.concat(lines)
end

return show
