-- chart/text.lua: a chart as lines of text.
local axes = require "icl.chart.axis"
local canvases = require "icl.chart.canvas"

local LABEL = 8   -- columns for what stands left of the axis
local LEAST = 12  -- columns without which there is no chart

-- Draws a list of values over epochs.
local function draw(canvas, x_axis, y_axis, series)
  local last_x, last_y
  for i, epoch in ipairs(series.epochs) do
    local x = math.floor(x_axis:at(epoch) * (canvas.width - 1) + 0.5)
    local y = math.floor((1 - y_axis:at(series.values[i])) * (canvas.height - 1) + 0.5)
    canvas:line(last_x or x, last_y or y, x, y, series.number)
    last_x, last_y = x, y
  end
end

-- The labels left of the rows, by row from 0.
local function row_labels(axis, rows)
  local labels = {}
  for _, tick in ipairs(axis.ticks) do
    labels[math.floor((1 - axis:at(tick)) * (rows - 1) + 0.5)] = axis:label(tick)
  end
  return labels
end

-- The line with the epochs below the axis.
local function column_labels(axis, columns)
  local line, used = (" "):rep(LABEL + 1 + columns), 0
  for _, tick in ipairs(axis.ticks) do
    local label = axis:label(tick)
    local from = LABEL + 1 + math.floor(axis:at(tick) * (columns - 1) + 0.5) - #label // 2
    from = math.min(from, #line - #label)
    if from > used then
      line = line:sub(1, from) .. label .. line:sub(from + #label + 1)
      used = from + #label + 1
    end
  end
  return line
end

-- text(chart, columns, rows, style) -> the lines of a chart, all of that many columns on a terminal. chart = { title =,
-- series = list of { epochs =, values =, number = }, epochs = the last epoch, from_zero = true: an even
-- scale that begins at 0 }; style = { braille =, paint = function(
-- text, number) }.
local function text(chart, columns, rows, style)
  local lists, last = {}, chart.epochs or 1
  for i, series in ipairs(chart.series) do
    lists[i] = series.values
    last = math.max(last, series.epochs[#series.epochs] or 1)
  end
  local low, high, log = axes.extent(lists)
  if chart.from_zero and low then low, log = 0, false end
  local lines = { (chart.title .. (log and " (logarithmic)" or "")):sub(1, columns) }
  lines[1] = lines[1] .. (" "):rep(columns - #lines[1])
  local width, height = columns - LABEL - 1, rows - 3
  if not low or width < LEAST or height < 2 then
    local note = low and "" or "no figures yet"
    for row = 2, rows do lines[row] = (row == 2 and note or ""):sub(1, columns) .. (" "):rep(columns - #note) end
    return lines
  end
  local y_axis = axes.new(low, high, { log = log, count = math.max(2, height // 3) })
  local x_axis = axes.new(0, last, { exact = true, whole = true, count = math.max(2, width // 12) })
  local canvas = canvases.new(width, height, style.braille)
  for _, series in ipairs(chart.series) do draw(canvas, x_axis, y_axis, series) end
  local labels, bar, corner, rule = row_labels(y_axis, height), "│", "└", "─"
  if not style.braille then bar, corner, rule = "|", "+", "-" end
  for row = 0, height - 1 do
    local label = (labels[row] or ""):sub(1, LABEL - 1)
    lines[#lines + 1] = (" "):rep(LABEL - 1 - #label) .. label .. " " .. bar .. canvas:text(row, style.paint)
  end
  lines[#lines + 1] = (" "):rep(LABEL) .. corner .. rule:rep(width)
  lines[#lines + 1] = column_labels(x_axis, width)
  return lines
end

return text
