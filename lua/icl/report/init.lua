-- report: runs as one page of HTML, which needs nothing beside itself: style, script, charts and pictures are in it.
local core = require "icl.core"
local curves = require "icl.report.curves"
local duration = require "icl.internal.duration"
local figures = require "icl.runs.figures"
local groups = require "icl.report.groups"
local markup = require "icl.internal.markup"
local mistakes = require "icl.report.mistakes"
local numbers = require "icl.internal.numbers"
local tables = require "icl.report.tables"

local fill, escape = markup.fill, markup.escape

local PAGE = [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>$title</title>
<style>
$(style)</style>
</head>
<body>
<main>
<header>
<h1>$title</h1>
<p class="sub">$subtitle</p>
</header>
<div class="tiles">$(tiles)</div>
$(problems)
<section id="results"><h2>Results</h2>
$(results)
<p class="note">$note</p>
<details><summary>All runs</summary>$(runs)</details></section>
<section id="curves"><h2>Learning curves</h2>
$(legend)<div class="charts">$(learning)</div></section>
<section id="course"><h2>Schedule and throughput</h2>
<div class="charts">$(course)</div></section>
<section id="predictions"><h2>Predictions</h2>
$(predictions)</section>
<section id="settings"><h2>Settings</h2>
$(commands)<details><summary>All options</summary>$(settings)</details></section>
<section id="environment"><h2>Environment</h2>
$(environment)</section>
<footer>Written by icl $version on $date.</footer>
</main>
<script>
$(script)</script>
</body>
</html>
]]

-- The run with the best figure among those that are judged by the same one as the first.
local function best_run(list)
  local best
  for _, run in ipairs(list) do
    if run.best and (not best or run.best.figure == best.best.figure and
        figures.is_better(run.best.value, best.best.value, best.best.mode)) then
      best = run
    end
  end
  return best
end

local function tile(value, text)
  return fill("<div><b>$value</b><span>$text</span></div>", { value = value, text = text })
end

-- "9 finished, 1 running"
local function states_text(list)
  local counts, order = {}, {}
  for _, run in ipairs(list) do
    if not counts[run.state] then order[#order + 1] = run.state end
    counts[run.state] = (counts[run.state] or 0) + 1
  end
  for i, state in ipairs(order) do order[i] = ("%d %s"):format(counts[state], state) end
  return table.concat(order, ", ")
end

-- The images a second of all reports that say it, on average.
local function throughput(list)
  local sum, count, value_of = 0, 0, figures.reader "images_per_second"
  for _, run in ipairs(list) do
    for _, report in ipairs(run.reports) do
      local value = value_of(report)
      if value then sum, count = sum + value, count + 1 end
    end
  end
  return count > 0 and sum / count or nil
end

local function tiles_of(list, groups_list, best)
  local tiles, seconds = {}, 0
  if best then
    tiles[1] = tile(figures.text(best.figure, best.best.value), ("best %s, %sepoch %g"):format(
      figures.title(best.figure):lower(), #list > 1 and best.name .. ", " or "", best.best.epoch))
    if #list == 1 then
      tiles[2] = tile(figures.text(best.figure, best.last.value), ("at epoch %g"):format(best.last.epoch))
    end
  end
  if #list > 1 then
    tiles[#tiles + 1] = tile(("%d runs"):format(#list), ("%s%s"):format(states_text(list),
      #groups_list > 1 and (" · %d settings"):format(#groups_list) or ", of equal settings"))
  else
    tiles[#tiles + 1] = tile(list[1].state, list[1].message or ("epoch %g of %s"):format(list[1].epoch,
      list[1].epochs and ("%g"):format(list[1].epochs) or "an unknown number"))
  end
  for _, run in ipairs(list) do seconds = seconds + (run.seconds or 0) end
  if seconds > 0 then
    tiles[#tiles + 1] = tile(duration(seconds), "of training" .. (#list > 1 and ", all runs together" or ""))
  end
  local rate = throughput(list)
  if rate then tiles[#tiles + 1] = tile(numbers.format("%.0f", rate), "images a second, on average") end
  return table.concat(tiles)
end

-- The settings by name, or how many they are.
local function title_of(list, groups_list)
  if #list == 1 then return list[1].name end
  local titles = {}
  for i, group in ipairs(groups_list) do titles[i] = group.title end
  local title = table.concat(titles, ", ")
  return #title <= 80 and title or ("%d runs of %d settings"):format(#list, #groups_list)
end

-- Recipes, data sets and days.
local function subtitle_of(list)
  local parts, seen = {}, {}
  local function add(text)
    if text and not seen[text] then parts[#parts + 1], seen[text] = text, true end
  end
  for _, run in ipairs(list) do add(run.recipe) end
  for _, run in ipairs(list) do add(type(run.options.dataset) == "string" and run.options.dataset or nil) end
  local first, last = math.huge, -math.huge
  for _, run in ipairs(list) do
    if run.time then first, last = math.min(first, run.time), math.max(last, run.time) end
  end
  local ok, from, to = pcall(function()
    return os.date("%Y-%m-%d", math.floor(first)), os.date("%Y-%m-%d", math.floor(last))
  end)
  if ok then add(from == to and from or from .. " to " .. to) end
  return table.concat(parts, " · ")
end

local function problems_of(list)
  local lines = {}
  for _, run in ipairs(list) do
    for _, problem in ipairs(run.problems) do
      lines[#lines + 1] = fill('<p class="note">$text</p>', { text = problem })
    end
  end
  return table.concat(lines)
end

local function note_of(groups_list)
  for _, group in ipairs(groups_list) do
    if #group.runs > 1 then
      return "Mean ± deviation over the runs of equal settings, and the 95 % interval of the mean (Student's t). " ..
        "Curves are means; bands reach one deviation to both sides, over the runs that came so far."
    end
  end
  return ""
end

-- report(list) -> the page about a list of runs (see icl.runs), which is not empty.
return function(list)
  local groups_list, best = groups.of(list), best_run(list)
  local learning = curves.learning(groups_list)
  local course = curves.course(groups_list)
  local none = '<p class="note">There are no reports yet.</p>'
  return fill(PAGE, {
    title = title_of(list, groups_list), subtitle = subtitle_of(list), style = require "icl.report.style",
    script = require "icl.report.script", tiles = tiles_of(list, groups_list, best), problems = problems_of(list),
    results = tables.results(groups_list), note = note_of(groups_list), runs = tables.runs(list),
    legend = curves.legend(groups_list), learning = learning ~= "" and learning or none,
    course = course ~= "" and course or none, predictions = mistakes.section(list, best or list[1]),
    commands = tables.commands(groups_list), settings = tables.settings(groups_list),
    environment = tables.environments(list), version = core.version, date = os.date "%Y-%m-%d %H:%M",
  })
end
