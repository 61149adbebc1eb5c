-- report/curves.lua: the charts of a report: what the runs of each group reached over the epochs.
local figures = require "icl.runs.figures"
local markup = require "icl.internal.markup"
local plot = require "icl.chart.svg"

local curves = {}

local FEW = 2  -- groups up to which the sets of images share a chart

-- By epoch the values of a figure in the runs of a group, from an epoch on: sums, sums of squares, counts; and the
-- epochs, ascending.
local function gather(runs, figure, from)
  local by_epoch, epochs = {}, {}
  for _, run in ipairs(runs) do
    local run_epochs, values = figures.series(run.reports, figure)
    local first = 1
    while run_epochs[first] and run_epochs[first] < from do first = first + 1 end
    for i = first, #run_epochs do
      local epoch, value = run_epochs[i], figures.shown(figure, values[i])
      local entry = by_epoch[epoch]
      if not entry then
        entry = { sum = 0, squares = 0, count = 0 }
        by_epoch[epoch], epochs[#epochs + 1] = entry, epoch
      end
      -- Squares of differences from the first keep their digits.
      entry.first = entry.first or value
      local difference = value - entry.first
      entry.sum, entry.squares, entry.count = entry.sum + difference, entry.squares + difference ^ 2, entry.count + 1
    end
  end
  table.sort(epochs)
  return by_epoch, epochs
end

-- The mean of a figure over the runs of a group, and the band of a deviation around it, from an epoch on; nil if no run
-- has it.
local function series_of(group, figure, from)
  local by_epoch, epochs = gather(group.runs, figure, from or -math.huge)
  if #epochs == 0 then return nil end
  local series = { xs = epochs, ys = {} }
  local band = { xs = {}, low = {}, high = {} }
  for i, epoch in ipairs(epochs) do
    local entry = by_epoch[epoch]
    local n, mean = entry.count, entry.sum / entry.count
    series.ys[i] = entry.first + mean
    if n > 1 then
      local deviation = math.sqrt(math.max(entry.squares - n * mean ^ 2, 0) / (n - 1))
      local k = #band.xs + 1
      band.xs[k], band.low[k], band.high[k] = epoch, series.ys[i] - deviation, series.ys[i] + deviation
    end
  end
  if #band.xs > 1 then series.band = band end
  return series
end

-- A band that reaches below 0, where nothing is, would keep its chart from a logarithmic axis.
local function clip_band(series)
  local lowest = math.huge
  for _, y in ipairs(series.ys) do lowest = math.min(lowest, y) end
  for i, low in ipairs(series.band and series.band.low or {}) do series.band.low[i] = math.max(low, lowest / 2) end
end

local styles = { "", "dashed", "dotted", "mixed" }

-- A chart of one or more figures, which differ in the set of images, over all groups; nil where no run has one. Groups
-- differ in colour and sets in style, or in colour too where there is one group.
local function chart_of(groups, title, names, options)
  local chart = { title = title, series = {}, keys = {} }
  for key, value in pairs(options or {}) do chart[key] = value end
  for k, name in ipairs(names) do
    local alone, used = #groups == 1, false
    local style = alone and "" or styles[(k - 1) % #styles + 1]
    local set = name:match "^(.*)%."
    for g, group in ipairs(groups) do
      local series = series_of(group, name, chart.from)
      if series then
        clip_band(series)
        series.colour, series.style = alone and k or g, style
        series.name = #names > 1 and ("%s, %s"):format(group.title, figures.set_title(set)) or group.title
        chart.series[#chart.series + 1], used = series, true
      end
    end
    if used and #names > 1 then
      chart.keys[#chart.keys + 1] = { style = style .. (alone and " " .. plot.colour(k) or ""),
                                      text = figures.set_title(set) }
    end
  end
  return #chart.series > 0 and chart or nil
end

-- The reports of all groups.
local function reports_of(groups)
  local reports = {}
  for _, group in ipairs(groups) do
    for _, run in ipairs(group.runs) do table.move(run.reports, 1, #run.reports, #reports + 1, reports) end
  end
  return reports
end

-- Is it about what cannot go wrong, the first five of up to five classes?
local function says_nothing(field, chart)
  if field ~= "top5" then return false end
  for _, series in ipairs(chart.series) do
    for _, y in ipairs(series.ys) do
      if y ~= 0 then return false end
    end
  end
  return true
end

-- The charts of a field such as top1: one for all sets of images, or one for each where that would be too many curves.
local function charts_of_field(groups, sets, field)
  local share = figures.is_share(field)
  local options = share and { unit = " %", digits = 2 } or nil
  local title, list = figures.field_title(field), {}
  local function titled(set)
    return title .. (set and ", " .. figures.set_title(set) or "") .. (share and ", %" or "")
  end
  local function add(chart)
    if chart and not says_nothing(field, chart) then list[#list + 1] = chart end
  end
  if #groups <= FEW then
    local names = {}
    for i, set in ipairs(sets) do names[i] = set .. "." .. field end
    add(chart_of(groups, titled(), names, options))
    return list
  end
  for _, set in ipairs(sets) do add(chart_of(groups, titled(set), { set .. "." .. field }, options)) end
  return list
end

local LONG = 20  -- epochs from which on the last quarter is worth a look

-- The last quarter of the figure that the runs are judged by, where curves are close; nil for short runs.
local function end_chart(groups)
  local last, figure = 0, nil
  for _, group in ipairs(groups) do
    figure = figure or group.figure
    for _, run in ipairs(group.runs) do last = math.max(last, run.reports[1] and run.epoch or 0) end
  end
  if not figure or last < LONG then return nil end
  local share = figures.is_share(figure)
  return chart_of(groups, ("%s%s, last quarter"):format(figures.title(figure), share and ", %" or ""), { figure },
    { from = last * 0.75, log = false, unit = share and " %" or nil, digits = share and 2 or nil })
end

local function figure_of(chart)
  local picture, logarithmic = plot.svg(chart)
  local notes = {}
  for _, key in ipairs(chart.keys) do
    notes[#notes + 1] = markup.fill('<span><svg class="key" viewBox="0 0 26 8"><path class="line $style" ' ..
      'd="M0 4H26"/></svg>$text</span>', key)
  end
  if logarithmic then notes[#notes + 1] = "<span>logarithmic</span>" end
  return markup.fill('<figure class="chart"><figcaption><b>$title</b>$(notes)</figcaption>$(picture)</figure>\n',
    { title = chart.title, notes = table.concat(notes), picture = picture })
end

-- curves.legend(groups) -> the colours of groups; "" for a single one.
function curves.legend(groups)
  if #groups < 2 then return "" end
  local items = {}
  for g, group in ipairs(groups) do
    items[g] = markup.fill('<li><i class="swatch $colour"></i>$title</li>',
      { colour = plot.colour(g), title = group.title })
  end
  return '<ul class="legend">' .. table.concat(items) .. "</ul>\n"
end

local function figures_of(charts)
  local parts = {}
  for i, chart in ipairs(charts) do parts[i] = figure_of(chart) end
  return table.concat(parts)
end

-- curves.learning(groups) -> the charts of error, loss and metrics of one's own.
function curves.learning(groups)
  local reports, charts = reports_of(groups), {}
  local sets = figures.sets(reports)
  for _, field in ipairs(figures.fields(reports)) do
    local found = charts_of_field(groups, sets, field)
    table.move(found, 1, #found, #charts + 1, charts)
  end
  charts[#charts + 1] = end_chart(groups)
  return figures_of(charts)
end

-- curves.course(groups) -> the charts of the learning rate and of the images a second.
function curves.course(groups)
  local charts = {}
  charts[1] = chart_of(groups, "Learning rate", { "lr" }, { zero = true })
  charts[#charts + 1] = chart_of(groups, "Images a second", { "images_per_second" },
    { log = false, zero = true, digits = 0 })
  return figures_of(charts)
end

return curves
