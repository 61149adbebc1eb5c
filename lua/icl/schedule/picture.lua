-- schedule/picture.lua: a schedule as a curve of text.
local chart = require "icl.chart.text"

local COLUMNS, ROWS, POINTS = 72, 12, 200

-- picture(title, epochs, rate) -> lines: rate(x), x from 0 to `epochs`.
local function picture(title, epochs, rate)
  local series = { epochs = {}, values = {}, number = 1 }
  for i = 0, POINTS do
    series.epochs[i + 1] = epochs * i / POINTS
    series.values[i + 1] = rate(epochs * i / POINTS)
  end
  local lines = chart({ title = title, series = { series }, epochs = epochs, from_zero = true }, COLUMNS, ROWS,
    { braille = false, paint = function(text) return text end })
  for i, line in ipairs(lines) do lines[i] = line:gsub("%s+$", "") end
  return lines
end

return picture
