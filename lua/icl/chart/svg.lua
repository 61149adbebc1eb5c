-- chart/svg.lua: a chart as an SVG picture. Colours, fonts and widths of lines are those of the page that it stands in,
-- by its classes: grid, axis, line and band, and c1, c2, ... for the colours of series.
local axes = require "icl.chart.axis"
local markup = require "icl.internal.markup"
local numbers = require "icl.internal.numbers"
local thin = require "icl.chart.thin"

local WIDTH, HEIGHT = 560, 300
local LEFT, RIGHT, TOP, BOTTOM = 50, 14, 10, 34
local PARTS = 250  -- in which the lowest and the highest point of a curve are kept
local COLOURS = 8

local function number(x)
  return (numbers.format("%.2f", x):gsub("%.?0+$", ""))
end

-- A path through points: "M50 10L60 12".
local function path_of(plot, xs, ys)
  local parts = {}
  for i = 1, #xs do parts[i] = number(plot.x(xs[i])) .. " " .. number(plot.y(ys[i])) end
  return "M" .. table.concat(parts, "L")
end

-- The area between two curves over the same xs.
local function band_of(plot, band)
  local xs, high = thin(band.xs, band.high, PARTS)
  local low_xs, low = thin(band.xs, band.low, PARTS)
  local back_xs, back = {}, {}
  for i = #low_xs, 1, -1 do back_xs[#back_xs + 1], back[#back + 1] = low_xs[i], low[i] end
  return path_of(plot, xs, high) .. "L" .. path_of(plot, back_xs, back):sub(2) .. "Z"
end

local function colour(index)
  return "c" .. (index - 1) % COLOURS + 1
end

local function add_grid(out, plot)
  local function add(...) out[#out + 1] = numbers.format(...) end
  add '<g class="grid">'
  for _, tick in ipairs(plot.y_axis.ticks) do
    add('<path d="M%d %sH%d"/>', LEFT, number(plot.y(tick)), WIDTH - RIGHT)
  end
  add '</g><g class="axis">'
  for _, tick in ipairs(plot.y_axis.ticks) do
    add('<text x="%d" y="%s" text-anchor="end">%s</text>', LEFT - 8, number(plot.y(tick) + 4), plot.y_axis:label(tick))
  end
  for _, tick in ipairs(plot.x_axis.ticks) do
    local x = number(plot.x(tick))
    add('<path d="M%s %dv5"/>', x, HEIGHT - BOTTOM)
    add('<text x="%s" y="%d" text-anchor="middle">%s</text>', x, HEIGHT - BOTTOM + 19, plot.x_axis:label(tick))
  end
  add('<text x="-8" y="%d">epoch</text>', HEIGHT - BOTTOM + 19)
  add('<path d="M%d %dH%d"/></g>', LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT)
end

local function add_series(out, plot, series)
  local template = '<path class="line $colour $style" data-name="$name" d="$(path)"/>'
  if #series.xs == 1 then
    template = '<circle class="point $colour" data-name="$name" r="3.5" cx="$(x)" cy="$(y)"/>'
  end
  local xs, ys = thin(series.xs, series.ys, PARTS)
  out[#out + 1] = markup.fill(template, {
    colour = colour(series.colour), style = series.style or "", name = series.name, path = path_of(plot, xs, ys),
    x = number(plot.x(xs[1])), y = number(plot.y(ys[1])),
  })
end

-- Places in the picture of values, for a chart whose series and bands have these extents.
local function plot_of(chart)
  local lists, first, last = {}, math.huge, -math.huge
  for _, series in ipairs(chart.series) do
    lists[#lists + 1] = series.ys
    if series.band then
      lists[#lists + 1] = series.band.low
      lists[#lists + 1] = series.band.high
    end
    first, last = math.min(first, series.xs[1]), math.max(last, series.xs[#series.xs])
  end
  local low, high, log_helps = axes.extent(lists)
  if not chart.from then first = math.min(first, 1) end
  local x_axis = axes.new(first, math.max(last, first + 1), { exact = true, whole = true, count = 9 })
  local y_axis = axes.new(low, high, { log = chart.log ~= false and log_helps, zero = chart.zero, count = 6 })
  local across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
  return {
    x_axis = x_axis, y_axis = y_axis,
    x = function(value) return LEFT + across * x_axis:at(value) end,
    y = function(value) return TOP + down * (1 - y_axis:at(math.max(value, y_axis.low))) end,
  }
end

-- svg(chart) -> markup, and whether the axis of values is logarithmic. chart = { title =, unit = " %" or nil, digits =
-- decimals of a value or nil, log = false: never logarithmic, zero = from 0 on, from = an epoch: those before it are
-- left out, series = list of { name =, colour = number, style = "dashed" or nil, xs =, ys =, band = { xs =, low =,
-- high = } or nil } }; no series is empty.
local function svg(chart)
  local plot = plot_of(chart)
  local out = { markup.fill('<svg viewBox="0 0 $width $height" role="img" aria-label="$title" data-plot="$plot" ' ..
    'data-unit="$unit" data-digits="$digits">', {
    width = WIDTH, height = HEIGHT, title = chart.title, unit = chart.unit or "", digits = chart.digits or "",
    plot = table.concat({ LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM, numbers.format("%.9g", plot.x_axis.low),
      numbers.format("%.9g", plot.x_axis.high), numbers.format("%.9g", plot.y_axis.low),
      numbers.format("%.9g", plot.y_axis.high), plot.y_axis.log and 1 or 0 }, " "),
  }) }
  add_grid(out, plot)
  for _, series in ipairs(chart.series) do
    if series.band then
      out[#out + 1] = ('<path class="band %s" d="%s"/>'):format(colour(series.colour), band_of(plot, series.band))
    end
  end
  for _, series in ipairs(chart.series) do add_series(out, plot, series) end
  out[#out + 1] = "</svg>\n"
  return table.concat(out), plot.y_axis.log
end

return { svg = svg, colour = colour }
