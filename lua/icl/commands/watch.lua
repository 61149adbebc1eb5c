-- commands/watch.lua: `icl watch [RUN...]`: curves of runs in the terminal, which grow as the runs do.
local core = require "icl.core"
local canvases = require "icl.chart.canvas"
local chart_lines = require "icl.chart.text"
local duration = require "icl.internal.duration"
local icl = require "icl"
local split = require "icl.options.words".split

local figures, runs = icl.runs.figures, icl.runs

local options = icl.options "icl watch [RUN...]: curves of runs in the terminal, of the newest unless some are named"
  : value("figure", nil, "what is shown, such as test.top5, beside the loss (default: what the run is judged by)",
      { type = "string" })
  : flag("once", false, "print once; it is so where there is no terminal")
  : example "icl watch"
  : example "icl watch runs/wrn-28-10/001 runs/wrn-28-10/002"

local PERIOD = 0.25  -- seconds between two looks at the files, and at the size of the terminal
local WIDE = 110     -- columns from which on charts stand side by side
local TALL = 18      -- lines from which on they stand one above the other

local colours = { 34, 33, 32, 35, 36, 31, 94, 93 }

-- Does the terminal show more than ASCII?
local function has_unicode()
  if os.getenv "TERM" == "dumb" then return false end
  for _, name in ipairs { "LC_ALL", "LC_CTYPE", "LANG" } do
    local value = os.getenv(name)
    if value and value ~= "" then return value:lower():find "utf%-?8" ~= nil end
  end
  return false
end

local function style_of(terminal)
  local coloured = terminal and os.getenv "TERM" ~= "dumb" and (os.getenv "NO_COLOR" or "") == ""
  return {
    braille = has_unicode(),
    paint = function(text, number)
      if not coloured then return text end
      return ("\27[%dm%s\27[0m"):format(colours[(number - 1) % #colours + 1], text)
    end,
  }
end

-- ---- what is shown ----

-- The figure of a field such as loss, of the images that the figure `name` (nil: none) is of.
local function beside(name, field)
  local set = name and figures.split(name)
  return set and set .. "." .. field or field
end

-- The series of a field: that of each run, or those of all sets of images where there is one run. `figure` says of
-- which images, if it is not for the runs to say.
local function series_of(list, field, figure)
  local found = {}
  local function add(reports, name, number, label)
    local epochs, values = figures.series(reports, name)
    for i, value in ipairs(values) do values[i] = figures.shown(name, value) end
    if #epochs > 0 then
      found[#found + 1] = { epochs = epochs, values = values, number = number, label = label }
    end
  end
  for number, run in ipairs(list) do
    if #list > 1 then
      add(run.reports, beside(figure or run.figure, field), number)
    else
      for i, set in ipairs(figures.sets(run.reports)) do
        add(run.reports, set .. "." .. field, i, figures.set_title(set))
      end
    end
  end
  return found
end

-- ", test" where several runs are judged by the same images, else "".
local function set_text(list, figure)
  local set = figures.split(figure or list[1].figure or "")
  for _, run in ipairs(figure and {} or list) do
    if figures.split(run.figure or "") ~= set then return "" end
  end
  return #list > 1 and set and ", " .. figures.set_title(set) or ""
end

-- The charts of runs: of the figure by which they are judged, and of the loss.
local function charts_of(list, figure)
  local judged, epochs = figure, 1
  for _, run in ipairs(list) do
    judged = judged or run.figure
    epochs = math.max(epochs, run.epochs or 1)
  end
  local charts, _, first = {}, figures.split(judged or "top1")
  for _, field in ipairs { first, "loss" } do
    if not (charts[1] and charts[1].field == field) then
      local title = figures.field_title(field) .. (figures.is_share(field) and " in %" or "")
      charts[#charts + 1] = { field = field, title = title .. set_text(list, figure), epochs = epochs,
                              series = series_of(list, field, figure) }
    end
  end
  return charts
end

local function run_line(run)
  local parts = { core.printable(run.name), run.state }
  parts[#parts + 1] = ("epoch %g"):format(run.epoch) .. (run.epochs and ("/%g"):format(run.epochs) or "")
  if run.last then
    parts[#parts + 1] = ("%s %s, best %s at %g"):format(figures.title(run.figure):lower(),
      figures.text(run.figure, run.last.value), figures.text(run.figure, run.best.value), run.best.epoch)
  end
  if run.left then parts[#parts + 1] = duration(run.left) .. " left" end
  return table.concat(parts, "  ")
end

-- A text cut to a number of characters.
local function cut(text, columns)
  local stop = utf8.offset(text, columns + 1)
  return stop and text:sub(1, stop - 1) or text
end

-- The lines above the charts: each run, with its sign where there are several; where there is one, the signs of the
-- sets.
local function head_lines(list, charts, columns, style)
  local lines = {}
  for number, run in ipairs(list) do
    local sign = #list > 1 and style.paint(canvases.mark(number, style.braille), number) .. " " or ""
    lines[#lines + 1] = sign .. cut(run_line(run), columns - (#list > 1 and 2 or 0))
  end
  if #list == 1 then
    local parts, used = {}, 0
    for _, series in ipairs(charts[1].series) do
      used = used + #series.label + 4
      if used > columns then break end
      parts[#parts + 1] = style.paint(canvases.mark(series.number, style.braille), series.number) .. " " .. series.label
    end
    lines[2] = table.concat(parts, "  ")
  end
  return lines
end

-- Lines side by side.
local function beside(left, right)
  local lines = {}
  for i = 1, math.max(#left, #right) do lines[i] = (left[i] or "") .. "  " .. (right[i] or "") end
  return lines
end

-- The lines of a screen of that size.
local function screen(list, figure, columns, rows, style)
  local charts = charts_of(list, figure)
  local lines = head_lines(list, charts, columns, style)
  for i = #lines, math.max(rows // 2, 1) + 1, -1 do lines[i] = nil end
  local room = math.max(rows - #lines, 5)
  local body
  if #charts > 1 and columns >= WIDE then
    local half = (columns - 2) // 2
    body = beside(chart_lines(charts[1], half, room, style), chart_lines(charts[2], half, room, style))
  elseif #charts > 1 and room >= TALL then
    body = chart_lines(charts[1], columns, room - room // 2, style)
    local second = chart_lines(charts[2], columns, room // 2, style)
    table.move(second, 1, #second, #body + 1, body)
  else
    body = chart_lines(charts[1], columns, room, style)
  end
  return table.move(body, 1, #body, #lines + 1, lines)
end

-- Is there nothing of a figure, and nothing to come?
local function is_unknown(list, figure)
  for _, run in ipairs(list) do
    if run.state == "running" then return false end
  end
  return figure ~= nil and #charts_of(list, figure)[1].series == 0
end

-- ---- showing it ----

local function print_once(list, figure, style)
  local columns, rows = core.terminal_width(), core.terminal_height()
  for _, line in ipairs(screen(list, figure, columns, rows - 1, style)) do
    io.stdout:write((line:gsub("%s+$", "")), "\n")
  end
end

local ENTER, LEAVE = "\27[?1049h\27[?25l", "\27[?25h\27[?1049l"

local function redraw(list, figure, columns, rows, style)
  local lines = screen(list, figure, columns, rows - 1, style)
  lines[#lines + 1] = cut("q ends", columns)
  io.stdout:write("\27[H", table.concat(lines, "\27[K\n"), "\27[K\27[J")
  io.stdout:flush()
end

-- Is one of the pressed keys q or Ctrl-C, or is the input at its end?
local function ends(pressed)
  return pressed and (pressed == "" or pressed:find "[qQ\3\4]" ~= nil)
end

-- Redraws when a run has gone on or the terminal changed its size, until q is pressed.
local function live(list, figure, style, keys)
  local columns, rows, since
  io.stdout:write(ENTER)
  local leave <close> = setmetatable({}, { __close = function()
    io.stdout:write(LEAVE)
    io.stdout:flush()
  end })
  repeat
    local changed = columns ~= core.terminal_width() or rows ~= core.terminal_height()
    for _, run in ipairs(list) do changed = run:update() or changed end
    changed = changed or core.clock() - since >= 10  -- the time that is left goes on
    if changed then
      columns, rows, since = core.terminal_width(), core.terminal_height(), core.clock()
      redraw(list, figure, columns, rows, style)
    end
  until ends(keys:read(PERIOD))
end

-- words: those of the command line behind `watch`. -> exit code
return function(words)
  words[0] = "icl watch"
  local others, own = split(options, words)
  local opt = options:parse(own)
  local list = runs.find(others)
  if #others == 0 then list[1] = runs.newest(runs.list()) end
  if #list == 0 then
    io.stderr:write(("icl watch: there are no runs in the folder %s; name the folder of one\n"):format(
      core.printable(runs.root())))
    return 1
  end
  if is_unknown(list, opt.figure) then
    io.stderr:write(("icl watch: no report has the figure %s; test.top1 is such a name\n"):format(
      core.printable(opt.figure)))
    return 2
  end
  local terminal = core.isatty(1)
  local style = style_of(terminal)
  local keys <close> = terminal and not opt.once and os.getenv "TERM" ~= "dumb" and core.terminal_keys() or nil
  if keys then
    live(list, opt.figure, style, keys)
    keys:close()
  end
  print_once(list, opt.figure, style)
  return 0
end
