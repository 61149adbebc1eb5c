-- commands/compare.lua: `icl compare RUN...`: what settings reached, over the seeds they were run with.
local core = require "icl.core"
local grid = require "icl.internal.grid"
local groups = require "icl.report.groups"
local icl = require "icl"
local json = require "icl.json"
local numbers = require "icl.internal.numbers"
local split = require "icl.options.words".split
local warnings = require "icl.runs.warnings"

local figures = icl.runs.figures

local options = icl.options "icl compare RUN...: means, with 95 % intervals, over runs that differ in the seed alone"
  : value("figure", nil, "what is compared, such as test.top1 or val.loss (default: what the runs are judged by)",
      { type = "string" })
  : flag("unfinished", false, "with runs that have not finished")
  : flag("json", false, "print JSON")
  : flag("csv", false, "print comma-separated values")
  : example "icl compare runs/wrn-28-10 runs/wrn-28-10-dropout"
  : example "icl compare runs --figure test.loss --csv"
  : check(function(values)
      if values.json and values.csv then return "{json} and {csv} exclude each other" end
    end)

local kinds = { "best", "last", "final" }
local parts = { "mean", "deviation", "low", "high" }

-- Those of the runs that have finished, the others being named, unless they are wanted too.
local function finished(list, unfinished)
  if unfinished then return list end
  local kept = {}
  for _, run in ipairs(list) do
    if run.state == "finished" then
      kept[#kept + 1] = run
    else
      io.stderr:write(("icl compare: left out, since it has not finished: %s (%s, epoch %g)\n"):format(
        core.printable(run.name), run.state, run.epoch))
    end
  end
  return kept
end

-- "4.03 ± 0.05 [3.90, 4.16]"
local function summary_text(summary)
  if not summary then return "" end
  local format = math.abs(summary.mean) >= 0.1 and "%.2f" or "%.4g"
  if not summary.deviation then return numbers.format(format, summary.mean) end
  return numbers.format(("%s ± %s [%s, %s]"):format(format, format, format, format), summary.mean, summary.deviation,
    summary.low, summary.high)
end

-- Which of best, last and final any of the groups has.
local function kinds_of(measured)
  local there = {}
  for _, kind in ipairs(kinds) do
    for _, entry in ipairs(measured) do
      if entry[kind] and there[#there] ~= kind then there[#there + 1] = kind end
    end
  end
  return there
end

-- "Error, test, %": what a group is measured by.
local function figure_text(figure)
  if not figure then return "" end
  return figures.title(figure) .. (figures.is_share(figure) and ", %" or "")
end

local function text_of(list, measured, differing)
  local there = kinds_of(measured)
  local rows = { { "settings", "runs", "figure", table.unpack(there) } }
  table.move(differing, 1, #differing, #rows[1] + 1, rows[1])
  for i, group in ipairs(list) do
    local row = { #differing > 0 and group.name or group.title, tostring(#group.runs) }
    row[#row + 1] = figure_text(measured[i].figure)
    for _, kind in ipairs(there) do row[#row + 1] = summary_text(measured[i][kind]) end
    for _, name in ipairs(differing) do row[#row + 1] = groups.shown(group.options[name]) end
    rows[i + 1] = row
  end
  return grid(rows) .. "\nmean ± deviation [95 % interval of the mean], over the runs of equal settings; of one seed, "
    .. "the run that came furthest\n"
end

local function csv_line(cells)
  local shown = {}
  for i, cell in ipairs(cells) do
    local text = math.type(cell) == "float" and numbers.format("%.10g", cell) or tostring(cell)
    shown[i] = text:find '[",\r\n]' and '"' .. text:gsub('"', '""') .. '"' or text
  end
  return table.concat(shown, ",") .. "\n"
end

local function csv_of(list, measured, differing)
  local head = { "settings", "runs", "figure" }
  for _, kind in ipairs(kinds) do
    for _, part in ipairs(parts) do head[#head + 1] = kind .. "_" .. part end
  end
  local lines = { csv_line(table.move(differing, 1, #differing, #head + 1, head)) }
  for i, group in ipairs(list) do
    local cells = { group.title, #group.runs, measured[i].figure or "" }
    for _, kind in ipairs(kinds) do
      for _, part in ipairs(parts) do cells[#cells + 1] = (measured[i][kind] or {})[part] or "" end
    end
    for _, name in ipairs(differing) do cells[#cells + 1] = groups.shown(group.options[name]) end
    lines[i + 1] = csv_line(cells)
  end
  return table.concat(lines)
end

local function json_of(list, measured, differing)
  local entries = {}
  for i, group in ipairs(list) do
    local paths, own = {}, {}
    for k, run in ipairs(group.runs) do paths[k] = run.path end
    for _, name in ipairs(differing) do own[name] = group.options[name] end
    entries[i] = { settings = group.title, runs = paths, options = next(own) and own, figure = measured[i].figure,
                   best = measured[i].best, last = measured[i].last, final = measured[i].final }
  end
  return json.encode(entries) .. "\n"
end

local function usage_error(text)
  io.stderr:write("icl compare: ", text, "\n")
  return 2
end

-- words: those of the command line behind `compare`. -> exit code
return function(words)
  words[0] = "icl compare"
  local others, own = split(options, words)
  local opt = options:parse(own)
  if #others == 0 then return usage_error "which runs? icl compare RUN..., or a folder of runs; icl runs lists them" end
  local found = icl.runs.find(others)
  warnings(found)
  local list = groups.of(finished(found, opt.unfinished))
  if #list == 0 then return usage_error "none of these runs has finished; --unfinished compares what they reached" end
  local measured = {}
  for i, group in ipairs(list) do measured[i] = groups.measured(group, opt.figure) end
  if opt.figure and #kinds_of(measured) == 0 then
    return usage_error("no report has the figure " .. core.printable(opt.figure) .. "; test.top1 is such a name")
  end
  local write = opt.json and json_of or opt.csv and csv_of or text_of
  io.stdout:write(write(list, measured, groups.differing(list)))
  return 0
end
