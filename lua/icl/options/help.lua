-- options/help.lua: the texts of --help and --list-presets.
local condition = require "icl.options.condition"
local numbers = require "icl.internal.numbers"
local rules = require "icl.internal.rules"

local help = {}

local WIDTH = 120

-- help.wrapped(text, indent) -> the words of a text in lines of up to 120 columns, each behind `indent` spaces.
function help.wrapped(text, indent)
  local lines, margin = {}, (" "):rep(indent)
  for word in text:gmatch "%S+" do
    local line = lines[#lines]
    if line and #line + 1 + #word <= WIDTH then
      lines[#lines] = line .. " " .. word
    else
      lines[#lines + 1] = margin .. word
    end
  end
  return lines
end

local wrapped = help.wrapped

-- Appends `text` at column `indent`, beside `left` if that is shorter.
local function add_entry(lines, left, text, indent)
  local right = wrapped(text, indent)
  if #left + 2 <= indent and #right > 0 then
    right[1] = left .. right[1]:sub(#left + 1)
  else
    lines[#lines + 1] = left
  end
  table.move(right, 1, #right, #lines + 1, lines)
end

help.shown = rules.shown
local shown = rules.shown

local placeholders = { integer = "N", float = "X", string = "TEXT", path = "PATH", list = "X,X", flags = "yes,no" }

-- "--depth N" and the like.
local function usage(spec)
  local name = "--" .. spec.name:gsub("_", "-")
  if spec.type == "boolean" then
    return spec.default == true and "--no-" .. name:sub(3) or spec.default == nil and "--[no-]" .. name:sub(3) or name
  end
  if spec.type == "choice" then return name .. " " .. table.concat(spec.choices, "|") end
  return name .. " " .. placeholders[spec.type]
end

local function range(spec)
  if spec.min and spec.max then return numbers.format(", %s to %s", spec.min, spec.max) end
  if spec.min and spec.below then return numbers.format(", %s to less than %s", spec.min, spec.below) end
  if spec.min then return numbers.format(", at least %s", spec.min) end
  if spec.max then return numbers.format(", at most %s", spec.max) end
  return spec.below and numbers.format(", less than %s", spec.below) or ""
end

local function default_of(spec)
  if spec.type == "boolean" then return spec.default == true and "on by default" or nil end
  if spec.default == nil or spec.default == "" then return nil end
  return ("default %s%s"):format(shown(spec.default), range(spec))
end

-- "(default 20, at least 8; only with --mixup)"
local function note(spec)
  local parts = { default_of(spec) }
  for _, only in ipairs(spec.only) do parts[#parts + 1] = "only with " .. condition.text(only, true) end
  return #parts > 0 and (" (%s)"):format(table.concat(parts, "; ")) or ""
end

local function add_option(lines, spec)
  local alias = spec.alias and (", --%s for short"):format(spec.alias:gsub("_", "-")) or ""
  add_entry(lines, "  " .. usage(spec), spec.help .. alias .. note(spec), 30)
end

-- help.written(key, value) -> an option as it would be typed.
function help.written(key, value)
  return condition.written(key, value, true)
end

-- The presets of an option list, one a line with what they set.
function help.presets(options)
  if #options.preset_order == 0 then return "there are no presets\n" end
  local lines = {}
  for _, name in ipairs(options.preset_order) do
    local preset, names, values = options.presets[name], {}, {}
    for key in pairs(preset.values) do names[#names + 1] = key end
    table.sort(names)
    for i, key in ipairs(names) do values[i] = help.written(key, preset.values[key]) end
    add_entry(lines, name, preset.note or "", 22)
    table.move(wrapped(table.concat(values, " "), 22), 1, #values, #lines + 1, lines)
  end
  return table.concat(lines, "\n") .. "\n"
end

-- The options of a list, one a line.
function help.lines(options)
  local lines = {}
  for _, spec in ipairs(options.order) do
    if spec.heading then
      lines[#lines + 1] = ""
      lines[#lines + 1] = spec.heading .. ":"
    else
      add_option(lines, spec)
    end
  end
  return lines
end

local function has_presets(options)
  return #options.preset_order > 0
end

local function has_results(options)
  return #options.cells > 0
end

local function has_seed(options)
  return options.specs.seed
end

-- The words that lists of options take besides their own.
local common = {
  { word = "--preset", takes = "NAME", has_meaning = has_presets,
    help = "several options at once; what else is given beats them" },
  { word = "--list-presets", has_meaning = has_presets, help = "the presets and what they set" },
  { word = "--result", takes = "ROW/COLUMN", has_meaning = has_results,
    help = "the settings of a published figure; what else is given beats them" },
  { word = "--list-results", has_meaning = has_results,
    help = "the published figures, and beside each what runs in the folder runs reached" },
  { word = "--seeds", takes = "N|N,N", has_meaning = has_seed,
    help = "runs with the seeds 0 to N - 1 or with these, one after another; then mean and deviation of figures" },
  { word = "--but", help = "what is given before it gives way to what follows" },
  { word = "--help", help = "this text" },
}

-- help.is_common(name) -> is --name one of them?
function help.is_common(name)
  for _, entry in ipairs(common) do
    if entry.word == "--" .. name:gsub("_", "-") then return true end
  end
  return false
end

-- help.common(options) -> of the words that lists take besides their own, those that mean something for this one: list
-- of { word =, takes = what follows it or nil, help = }.
function help.common(options)
  local list = {}
  for _, entry in ipairs(common) do
    if not entry.has_meaning or entry.has_meaning(options) then list[#list + 1] = entry end
  end
  return list
end

-- All that --help prints.
function help.text(options)
  local lines, body = { options.title, "", "options:" }, help.lines(options)
  table.move(body, 1, #body, #lines + 1, lines)
  lines[#lines + 1] = ""
  for _, entry in ipairs(help.common(options)) do
    add_entry(lines, "  " .. entry.word .. (entry.takes and " " .. entry.takes or ""), entry.help, 30)
  end
  if #options.examples > 0 then
    lines[#lines + 1] = ""
    lines[#lines + 1] = "examples:"
    for _, example in ipairs(options.examples) do lines[#lines + 1] = "  " .. example end
  end
  return table.concat(lines, "\n") .. "\n"
end

return help
