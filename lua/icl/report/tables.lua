-- report/tables.lua: the tables of a report: what was reached, the settings, where the runs were made.
local duration = require "icl.internal.duration"
local figures = require "icl.runs.figures"
local groups = require "icl.report.groups"
local markup = require "icl.internal.markup"
local numbers = require "icl.internal.numbers"
local plot = require "icl.chart.svg"

local fill, escape = markup.fill, markup.escape

local tables = {}

-- tables.table(heads, rows) -> markup. A head is a text; one that begins with # heads numbers. Cells are markup; a row
-- may have a class.
local function table_of(heads, rows)
  local out, right = { '<div class="scroll"><table><tr>' }, {}
  for i, head in ipairs(heads) do
    right[i] = head:sub(1, 1) == "#"
    out[#out + 1] = (right[i] and '<th class="n">%s</th>' or "<th>%s</th>"):format(escape((head:gsub("^#", ""))))
  end
  for _, row in ipairs(rows) do
    out[#out + 1] = row.class and ('</tr><tr class="%s">'):format(row.class) or "</tr><tr>"
    for i, cell in ipairs(row) do
      out[#out + 1] = (right[i] and '<td class="n">%s</td>' or "<td>%s</td>"):format(cell)
    end
  end
  out[#out + 1] = "</tr></table></div>\n"
  return table.concat(out)
end

-- "4.03 ± 0.05" as markup.
local function summary_cell(figure, summary)
  if not summary then return "" end
  local format = figures.is_share(figure) and "%.2f" or "%.4g"
  local text = numbers.format(format, summary.mean)
  if not summary.deviation then return text end
  return numbers.format("%s <small>± " .. format .. "</small>", text, summary.deviation)
end

local function interval_cell(figure, summary)
  if not (summary and summary.low) then return "" end
  local format = figures.is_share(figure) and "%.2f to %.2f" or "%.4g to %.4g"
  return numbers.format(format, summary.low, summary.high)
end

-- tables.results(list) -> the figures of groups, with the settings in which they differ.
function tables.results(list)
  local differing, measured, has = groups.differing(list), {}, {}
  for i, group in ipairs(list) do
    measured[i] = groups.measured(group)
    has.final = has.final or measured[i].final
    has.interval = has.interval or measured[i].last and measured[i].last.low
  end
  local heads = { "Settings", "#Runs", "Figure", "#Best", "#Last" }
  if has.interval then heads[#heads + 1] = "#95 % of last" end
  if has.final then heads[#heads + 1] = "#Test at the end" end
  table.move(differing, 1, #differing, #heads + 1, heads)
  local rows = {}
  for i, group in ipairs(list) do
    local swatch = #list > 1 and fill('<i class="swatch $colour"></i>', { colour = plot.colour(i) }) or ""
    local row, own = { swatch .. escape(#differing > 0 and group.name or group.title) }, measured[i]
    row[#row + 1] = tostring(#group.runs)
    row[#row + 1] = own.figure and ('<span class="whole">%s%s</span>'):format(escape(figures.title(own.figure)),
      figures.is_share(own.figure) and ", %" or "") or ""
    row[#row + 1] = summary_cell(own.figure, own.best)
    row[#row + 1] = summary_cell(own.figure, own.last)
    if has.interval then row[#row + 1] = interval_cell(own.figure, own.last) end
    if has.final then row[#row + 1] = summary_cell(own.figure, own.final) end
    for _, name in ipairs(differing) do row[#row + 1] = escape(groups.shown(group.options[name])) end
    rows[i] = row
  end
  return table_of(heads, rows)
end

local function epoch_text(run)
  return run.epochs and ("%g of %g"):format(run.epoch, run.epochs) or ("%g"):format(run.epoch)
end

-- tables.runs(list) -> every run: how far it came, what it reached, how long it took.
function tables.runs(list)
  local rows = {}
  for i, run in ipairs(list) do
    local best, last = run.best, run.last
    rows[i] = {
      escape(run.name), escape(run.state), escape(epoch_text(run)), escape(groups.shown(run.options.seed)),
      best and escape(figures.text(best.figure, best.value)) or "", best and ("%g"):format(best.epoch) or "",
      last and escape(figures.text(last.figure, last.value)) or "", run.seconds and duration(run.seconds) or "",
    }
  end
  return table_of({ "Run", "State", "#Epoch", "#Seed", "#Best", "#at epoch", "#Last", "#Time" }, rows)
end

-- tables.settings(list) -> every option of groups; those that differ stand out.
function tables.settings(list)
  local differs, names, seen = {}, {}, {}
  for _, name in ipairs(groups.differing(list)) do differs[name] = true end
  local heads = { "Option" }
  for i, group in ipairs(list) do
    heads[i + 1] = group.title
    for name in pairs(group.options) do
      if not seen[name] then names[#names + 1], seen[name] = name, true end
    end
  end
  table.sort(names, function(a, b)
    if differs[a] ~= differs[b] then return differs[a] == true end
    return a < b
  end)
  local rows = {}
  for i, name in ipairs(names) do
    rows[i] = { escape(name), class = differs[name] and #list > 1 and "differs" or nil }
    for k, group in ipairs(list) do rows[i][k + 1] = escape(groups.shown(group.options[name])) end
  end
  return table_of(heads, rows)
end

-- tables.quoted(word) -> the word as a shell takes it.
function tables.quoted(word)
  word = tostring(word)
  return word:find "^[%w_./=,:+-]+$" and word or "'" .. word:gsub("'", "'\\''") .. "'"
end

local quoted = tables.quoted

-- tables.commands(list) -> the command lines of the first run of each group.
function tables.commands(list)
  local lines = {}
  for _, group in ipairs(list) do
    local run = group.runs[1]
    local words = { "icl", quoted(run.recipe or "?") }
    if run.preset then words[#words + 1] = "--preset " .. quoted(run.preset) end
    for _, word in ipairs(run.arguments) do words[#words + 1] = quoted(word) end
    lines[#lines + 1] = table.concat(words, " ")
  end
  return "<pre>" .. escape(table.concat(lines, "\n")) .. "</pre>\n"
end

-- tables.environments(list) -> env.txt of runs, each text once with the runs that have it.
function tables.environments(list)
  local order, names = {}, {}
  for _, run in ipairs(list) do
    local text = run:text "env.txt" or "There is no env.txt."
    if not names[text] then order[#order + 1], names[text] = text, {} end
    table.insert(names[text], run.name)
  end
  local parts = {}
  for i, text in ipairs(order) do
    local title = #order > 1 and fill("<h3>$names</h3>", { names = table.concat(names[text], ", ") }) or ""
    parts[i] = title .. fill("<pre>$text</pre>\n", { text = (text:gsub("%s+$", "")) })
  end
  return table.concat(parts)
end

return tables
