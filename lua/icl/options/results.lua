-- options/results.lua: the published figures of a recipe. A cell of its tables is { name = "4096/epochs=400", values =
-- what it sets of the options, figures = { { text = "8.97", source = "median of 3" or nil } } }; figures of equal
-- settings that come from different places are of one cell.
local arguments = require "icl.internal.arguments"
local condition = require "icl.options.condition"
local figures = require "icl.runs.figures"
local notation = require "icl.options.notation"
local numbers = require "icl.internal.numbers"
local pad = require "icl.internal.pad"

local results = {}

-- ---- settings ----

local function equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then return false end
  end
  return true
end

-- Values of options with the defaults for those that are missing.
local function completed(list, values)
  return setmetatable({}, { __index = function(_, name)
    local value, spec = values[name], list.specs[name]
    if value == nil and spec then return spec.default end
    return value
  end })
end

-- Does the value of an option make no difference to the result?
local function is_neutral(spec, values)
  if not spec or spec.neutral then return true end
  for _, only in ipairs(spec.only) do
    if not condition.holds(only, values) then return true end
  end
  return false
end

-- Are two tables of values the same settings? What is missing has its default.
local function are_same(list, a, b)
  local all_a, all_b = completed(list, a), completed(list, b)
  for _, values in ipairs { a, b } do
    for name in pairs(values) do
      if not equal(all_a[name], all_b[name]) and not is_neutral(list.specs[name], all_a) then return false end
    end
  end
  return true
end

-- results.cell(list, values) -> the cell of a list of options whose settings these values are, or nil.
function results.cell(list, values)
  for _, cell in ipairs(list.cells) do
    if are_same(list, values, cell.values) then return cell end
  end
end

-- ---- making them ----

-- What the cell of a row and a column sets; what either says itself beats a preset.
local function joined(table_of, column, row, complain)
  for name in pairs(column.settings.given) do
    if row.settings.given[name] ~= nil then
      complain(row, "%s is set by the row and by column %s", name, column.text)
    end
  end
  local all = notation.new_settings():join(table_of.shared):join(column.settings):join(row.settings)
  for name, value in pairs(all.given) do all.values[name] = value end
  return all
end

local function check_conditions(list, settings, row, complain)
  local values = list:defaults()
  for name, value in pairs(settings.values) do values[name] = value end
  local problem = list:unmet(values, settings.given)
  if problem then complain(row, "%s", problem) end
end

local function has_source(cell, source)
  for _, figure in ipairs(cell.figures) do
    if figure.source == source then return true end
  end
  return false
end

local function named(list, name)
  for _, cell in ipairs(list.cells) do
    if cell.name == name then return cell end
  end
end

-- The cell that a figure belongs to, which is a new one unless the row has it from another place already.
local function cell_for(list, name, settings, column, row, complain)
  local cell = results.cell(list, settings.values)
  if not cell then
    if named(list, name) then
      complain(row, "%s has other settings above; a name, such as wide:, tells them apart", name)
    end
    check_conditions(list, settings, row, complain)
    cell = { name = name, values = settings.values, figures = {} }
    list.cells[#list.cells + 1] = cell
  elseif cell.name ~= name or has_source(cell, column.source) then
    complain(row, "column %s has the settings of %s, which has a figure already", column.text, cell.name)
  end
  return cell
end

-- results.add(list, title, text): the cells of a table (notation.lua).
function results.add(list, title, text)
  local table_of, complain = notation.read(list, title, text)
  list.tables[#list.tables + 1] = table_of
  for _, row in ipairs(table_of.rows) do
    row.cells = {}
    for k, column in ipairs(table_of.columns) do
      if row.figures[k] ~= "-" then
        local name = row.name .. (column.name ~= "" and "/" .. column.name or "")
        local cell = cell_for(list, name, joined(table_of, column, row, complain), column, row, complain)
        cell.figures[#cell.figures + 1] = { text = row.figures[k], source = column.source }
        row.cells[k] = cell
      end
    end
  end
end

-- ---- finding them ----

-- A name as it is compared: "wide/cutout-size=8" -> "wide/cutout_size=8", and without the options that a table shows
-- once, "wide/8".
local function plain(name)
  local own = name:gsub("-", "_")
  return own, own:gsub("[%w_]+=", "")
end

-- results.find(list, name) -> the cell of that name, or nil and a message.
function results.find(list, name)
  local wanted, names, meant = plain(name), {}, {}
  for i, cell in ipairs(list.cells) do
    local own, short = plain(cell.name)
    if own == wanted then return cell end
    names[i] = cell.name
    if own:sub(1, #wanted + 1) == wanted .. "/" or short == wanted then meant[#meant + 1] = cell.name end
  end
  local hint = #meant > 0 and ("; there %s %s"):format(#meant > 1 and "are" or "is", table.concat(meant, ", "))
    or arguments.suggestion(name, names)
  return nil, ("there is no result '%s'%s; --list-results lists them"):format(name, hint)
end

-- results.text(cell) -> "8.21 %", "4.03 % (measured), 4.00 % (paper)".
function results.text(cell)
  local texts = {}
  for i, figure in ipairs(cell.figures) do
    texts[i] = figure.text .. " %" .. (figure.source and (" (%s)"):format(figure.source) or "")
  end
  return table.concat(texts, ", ")
end

-- ---- showing them ----

-- The last error of a run on test images, in percent, or nil.
local function last_error(run)
  local last = figures.last({ run.final }, "test.top1") or figures.last(run.reports, "test.top1")
  return last and figures.shown(last.figure, last.value)
end

-- What the finished runs with the settings of each cell reached: { [cell] = list of errors in percent }, one for each
-- seed, of the last run with it. A run is as runs.list has it.
local function reached(list, runs)
  local seeds = {}
  for _, run in ipairs(runs) do
    local cell = run.state == "finished" and results.cell(list, run.options)
    if cell then
      seeds[cell] = seeds[cell] or {}
      seeds[cell][run.options.seed or 0] = last_error(run)
    end
  end
  local errors = {}
  for cell, of_seed in pairs(seeds) do
    local values = {}
    for _, value in pairs(of_seed) do values[#values + 1] = value end
    if #values > 0 then errors[cell] = values end
  end
  return errors
end

-- "8.97", with what a run reached "8.97 (9.05)", with the mean of three "8.97 (9.05 of 3)".
local function figure_text(text, errors)
  if not errors then return text end
  local sum = 0
  for _, value in ipairs(errors) do sum = sum + value end
  return numbers.format("%s (%.2f%s)", text, sum / #errors, #errors > 1 and " of " .. #errors or "")
end

-- Texts in columns, two blanks apart; -> list of lines of equal length.
local function aligned(rows)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for k, text in ipairs(row) do widths[k] = math.max(widths[k] or 0, pad.width(text)) end
  end
  for i, row in ipairs(rows) do
    local texts = {}
    for k, wide in ipairs(widths) do texts[k] = pad.right(row[k] or "", wide) end
    lines[i] = table.concat(texts, "  ")
  end
  return lines
end

local function add_table(lines, table_of, errors)
  local left, right, shown = { table_of.options }, { {} }, {}
  for k, column in ipairs(table_of.columns) do right[1][k] = column.text end
  for i, row in ipairs(table_of.rows) do
    left[i + 1], right[i + 1] = row.left, {}
    for k, text in ipairs(row.figures) do
      local cell = row.cells[k]
      right[i + 1][k] = figure_text(text, cell and not shown[cell] and errors[cell])
      if cell then shown[cell] = true end
    end
  end
  left, right = aligned(left), aligned(right)
  lines[#lines + 1] = table_of.title
  for _, text in ipairs(table_of.above) do lines[#lines + 1] = "  " .. text end
  for i, text in ipairs(left) do lines[#lines + 1] = ("  %s | %s"):format(text, right[i]):gsub("%s+$", "") end
  lines[#lines + 1] = ""
end

-- results.tables(list, runs) -> the tables of a list of options, each figure with what these runs reached beside it.
function results.tables(list, runs)
  if #list.cells == 0 then return "there are no published figures\n" end
  local lines, errors = {}, reached(list, runs)
  for _, table_of in ipairs(list.tables) do add_table(lines, table_of, errors) end
  if next(errors) then
    lines[#lines + 1] = "In parentheses beside a figure: the test error that runs with these settings reached, or its "
      .. "mean over so many seeds."
  end
  lines[#lines + 1] = ("A figure's settings: --result ROW/COLUMN, such as --result %s"):format(list.cells[1].name)
  return table.concat(lines, "\n") .. "\n"
end

return results
