-- options/notation.lua: tables of published figures as they are written in recipes.
--
--     optimizer=lars, schedule=cosine
--     batch_size  base_lr | epochs=200  400   epochs=400, mixup (median of 3)  (best)
--     4096        3.2     | 10.57       8.97  8.12                             -
--
-- Left of the bar each row sets options, whose names are above; where no names are, it is settings, or a name and
-- settings: `cutout`, `wide-cutout: initial_channels=64, cutout`, `plain:`. Right of it each column has settings and in
-- parentheses where its figures come from; a column that is only a value is of the option before it, one without
-- settings has those of the column before it. Columns are two blanks apart or more. `-`: no figure. Lines above the
-- names are settings of all rows. A setting is option=value, flag, no flag, or the name of a preset.
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local numbers = require "icl.internal.numbers"
local rules = require "icl.internal.rules"

-- Settings as they are read: `values` are those of options, `given` those of them that no preset gave, `last` is the
-- option that was named last, if it had a value.
local Settings = {}
Settings.__index = Settings

local function new_settings()
  return setmetatable({ values = {}, given = {} }, Settings)
end

function Settings:set(name, value)
  self.values[name], self.given[name] = value, value
end

function Settings:join(other)
  for name, value in pairs(other.values) do self.values[name] = value end
  for name, value in pairs(other.given) do self.given[name] = value end
  return self
end

-- An error about the line of a table that is being read.
local function complain(reader, format, ...)
  fail("options: results '%s': line %d, '%s': %s", reader.title, reader.number, reader.line, format:format(...))
end

local function spec_of(reader, name)
  local spec = reader.list.specs[name]
  if not spec then
    complain(reader, "there is no option '%s'%s", name, arguments.suggestion(name, reader.list:names()))
  end
  return spec
end

local function set_text(reader, settings, name, text)
  local value, expected = rules.parse(spec_of(reader, name), text)
  if expected then complain(reader, "%s is %s; it must be %s", name, text, expected) end
  settings:set(name, value)
end

-- A setting without a value: a flag, `no flag`, a preset.
local function set_word(reader, settings, word)
  local list = reader.list
  local negated = word:match "^no (.*)$"
  local spec = list.specs[negated or word]
  if spec and spec.type == "boolean" then return settings:set(negated or word, not negated) end
  local preset = list.presets[word]
  if preset then
    for name, value in pairs(preset.values) do settings.values[name] = value end
    return
  end
  if spec then complain(reader, "%s needs a value, %s=...", word, word) end
  local known = table.move(list.preset_order, 1, #list.preset_order, 1, {})
  for name, other in pairs(list.specs) do
    if other.type == "boolean" then table.move({ name, "no " .. name }, 1, 2, #known + 1, known) end
  end
  complain(reader, "'%s' is no setting%s; there are option=value, flag, no flag and the names of presets", word,
    arguments.suggestion(word, known))
end

local function read_settings(reader, text)
  local settings = new_settings()
  for setting in (text .. ", "):gmatch "%s*(.-)%s*,%s" do
    local name, value = setting:match "^([%w_]+)=(.*)$"
    if name then
      set_text(reader, settings, name, value)
      settings.last = name
    elseif setting ~= "" then
      set_word(reader, settings, setting)
      settings.last = nil
    end
  end
  return settings
end

-- The name by which a row or column is called, and its settings: "wide: initial_channels=64" -> "wide", ...; where it
-- has no name, that is the text of its settings without blanks.
local function read_named(reader, text)
  local name, rest = text:match "^([^%s=,:]+):%s*(.*)$"
  local settings = read_settings(reader, rest or text)
  if not name then return text:gsub(",%s+", ","):gsub("%s+", "-"), settings end
  settings.last = nil  -- a value that went on from here would have no name
  return name, settings
end

-- ---- columns ----

-- Is the text of a column only a value, for the option of the column before it?
local function is_value(reader, text, before)
  return before and before.settings.last and not text:find "[=:]" and not reader.list.presets[text]
    and not reader.list.specs[text:match "^no (.*)$" or text]
end

local function read_column(reader, text, before)
  local body, source = text:match "^(.-)%s*%((.-)%)$"
  body = body or text
  local column = { text = text, source = source }
  if body == "" then
    column.name, column.settings = before and before.name or "", before and before.settings or new_settings()
  elseif is_value(reader, body, before) then
    local last = before.settings.last
    column.settings = new_settings():join(before.settings)
    column.settings.last = last
    set_text(reader, column.settings, last, body)
    column.name = before.name:gsub("=[^=]*$", "") .. "=" .. body
  else
    column.name, column.settings = read_named(reader, body)
  end
  return column
end

-- The line above the rows: which options they set, and the columns.
local function read_header(reader, left, right)
  local header = { options = {}, columns = {} }
  for name in left:gmatch "%S+" do
    spec_of(reader, name)
    header.options[#header.options + 1] = name
  end
  for text in (right .. "  "):gmatch "%s*(.-)%s%s+" do
    if text ~= "" then
      header.columns[#header.columns + 1] = read_column(reader, text, header.columns[#header.columns])
    end
  end
  if #header.columns == 0 then complain(reader, "there is no column to the right of the bar") end
  return header
end

-- ---- rows ----

local function read_row(reader, header, left, right)
  local row = { left = {}, figures = {}, number = reader.number, line = reader.line }
  if #header.options == 0 then
    row.left[1] = left
    row.name, row.settings = read_named(reader, left)
    if left == "" then complain(reader, "a row needs settings or a name, such as plain:") end
  else
    for word in left:gmatch "%S+" do row.left[#row.left + 1] = word end
    if #row.left ~= #header.options then
      complain(reader, "%d values for the %d options %s", #row.left, #header.options,
        table.concat(header.options, ", "))
    end
    row.settings = new_settings()
    for i, name in ipairs(header.options) do set_text(reader, row.settings, name, row.left[i]) end
  end
  for word in right:gmatch "%S+" do
    if word ~= "-" and not numbers.read(word) then
      complain(reader, "'%s' is no figure; - stands where there is none", word)
    end
    row.figures[#row.figures + 1] = word
  end
  if #row.figures ~= #header.columns then
    complain(reader, "%d figures in %d columns, which are two blanks apart or more", #row.figures, #header.columns)
  end
  return row
end

-- Rows of values are called by the first one if that tells them apart, otherwise by all.
local function name_rows(rows)
  local seen, distinct = {}, true
  for _, row in ipairs(rows) do
    distinct = distinct and not seen[row.left[1]]
    seen[row.left[1]] = true
  end
  for _, row in ipairs(rows) do row.name = distinct and row.left[1] or table.concat(row.left, ",") end
end

-- notation(list, title, text) -> { title =, shared = Settings, above = lines as they were written, options = names left
-- of the bar, columns = { text, name, settings, source }, rows = { left = texts, name, settings, figures = texts,
-- number and line of the table } }, and complain(row, format, ...), an error about a row.
local function read(list, title, text)
  arguments.typed("options: results", title, "string", "a title")
  arguments.typed("options: results " .. title, text, "string", "a table of figures in [[ ]]")
  local reader = { list = list, title = title, number = 0 }
  local shared, above, header, rows = new_settings(), {}, nil, {}
  for line in (text:gsub("^[ \t]*\n", "") .. "\n"):gmatch "(.-)\n" do
    reader.number, reader.line = reader.number + 1, line:gsub("\t", "  "):match "^%s*(.-)%s*$"
    local left, right = reader.line:match "^(.-)%s*|(.*)$"
    if right and right:find("|", 1, true) then complain(reader, "there are two bars") end
    if right and header then
      rows[#rows + 1] = read_row(reader, header, left, right)
    elseif right then
      header = read_header(reader, left, right)
    elseif header and reader.line ~= "" then
      complain(reader, "a row needs a bar |, with its figures to the right")
    elseif reader.line ~= "" then
      shared:join(read_settings(reader, reader.line))
      above[#above + 1] = reader.line
    end
  end
  if #rows == 0 then fail("options: results '%s': there are no rows", title) end
  if #header.options > 0 then name_rows(rows) end
  local result = { title = title, shared = shared, above = above, options = header.options, columns = header.columns,
                   rows = rows }
  return result, function(row, ...)
    reader.number, reader.line = row.number, row.line
    complain(reader, ...)
  end
end

return { read = read, new_settings = new_settings }
