-- report/groups.lua: runs of equal settings, and what the settings of others differ in.
local arguments = require "icl.internal.arguments"
local figures = require "icl.runs.figures"
local option_groups = require "icl.options"
local rules = require "icl.internal.rules"
local statistics = require "icl.runs.statistics"

local groups = {}

-- Options that say which draws are made, where a run works and what it keeps: runs that differ in these alone are
-- samples of one experiment. Without skip_bad_images a run with a bad image does not come to its end, so two that did
-- had the same images.
local apart = { skip_bad_images = true }
for _, group in ipairs(option_groups.names) do
  for name, spec in pairs(option_groups[group].specs) do apart[name] = apart[name] or spec.neutral end
end

local words = { [true] = "yes", [false] = "no" }

-- groups.shown(value) -> the value of an option as a text; "" for none.
function groups.shown(value)
  if value == nil then return "" end
  return words[value] or rules.shown(value)
end

local function key_of(run)
  local parts = { run.recipe or run.path }
  for _, name in ipairs(arguments.names(run.options)) do
    if not apart[name] then parts[#parts + 1] = name .. "=" .. groups.shown(run.options[name]) end
  end
  return table.concat(parts, "\0")
end

-- groups.differing(list) -> the sorted names of the settings whose values are not the same in all groups or runs of a
-- list, of which those without any, whose file of options is lost, do not count.
function groups.differing(list)
  local seen, known = {}, {}
  for _, entry in ipairs(list) do
    if next(entry.options) then known[#known + 1] = entry end
    for name in pairs(entry.options) do seen[name] = true end
  end
  local names = {}
  for _, name in ipairs(arguments.names(seen)) do
    local first, differs = groups.shown(known[1].options[name]), false
    for _, entry in ipairs(known) do differs = differs or groups.shown(entry.options[name]) ~= first end
    if differs and not apart[name] then names[#names + 1] = name end
  end
  return names
end

-- The texts "name=value" of the settings of each group, by the names that are given.
local function settings_of(list, names)
  local texts = {}
  for i, group in ipairs(list) do
    local parts = {}
    for k, name in ipairs(names) do parts[k] = ("%s=%s"):format(name, groups.shown(group.options[name])) end
    texts[i] = table.concat(parts, " ")
  end
  return texts
end

-- How often each text occurs.
local function counted(texts)
  local counts = {}
  for _, text in ipairs(texts) do counts[text] = (counts[text] or 0) + 1 end
  return counts
end

-- Is each text there once?
local function are_distinct(texts)
  for _, count in pairs(counted(texts)) do
    if count > 1 then return false end
  end
  return true
end

-- What tells groups apart that are called the same: the settings in which they differ, without those that some have not
-- at all, which follow from others, as long as that does. Groups of other recipes may have the same settings.
local function differences(list)
  local all, common = groups.differing(list), {}
  for _, name in ipairs(all) do
    local everywhere = true
    for _, group in ipairs(list) do everywhere = everywhere and group.options[name] ~= nil end
    if everywhere then common[#common + 1] = name end
  end
  local texts = settings_of(list, common)
  return are_distinct(texts) and texts or settings_of(list, all)
end

-- Gives groups that would be called the same the settings in which they differ, and those that have these in common a
-- number.
local function name_apart(list)
  local by_name = {}
  for _, group in ipairs(list) do
    local same = by_name[group.name] or {}
    same[#same + 1], by_name[group.name] = group, same
  end
  for _, same in pairs(by_name) do
    local texts, numbers = #same > 1 and differences(same) or {}, {}
    local counts = counted(texts)
    for i, text in ipairs(texts) do
      local group = same[i]
      numbers[text] = (numbers[text] or 0) + 1
      if counts[text] > 1 then group.name = ("%s (%d)"):format(group.name, numbers[text]) end
      group.title = text == "" and group.name or group.name .. " " .. text
    end
  end
end

-- What the runs of a group are called by: numbered ones, and those of --seeds, by the folder they lie in.
local function name_of(run)
  local folder, own = run.name:match "^(.*)/([^/]*)$"
  local is_numbered = own and (own:find "^%d+$" or own:find "^seed%-%d+$")
  return is_numbered and folder or run.name
end

-- Did a run come further than another one of the same seed, or as far and later?
local function is_further(run, other)
  local done, other_done = run.state == "finished", other.state == "finished"
  if done ~= other_done then return done end
  return run.epoch >= other.epoch
end

-- Adds a run to those of a group. Runs with one seed are one sample, for which the one that came furthest stands.
local function add(group, run)
  for i, other in ipairs(run.options.seed and group.runs or {}) do
    if other.options.seed == run.options.seed then
      if is_further(run, other) then group.runs[i] = run end
      return
    end
  end
  group.runs[#group.runs + 1] = run
end

-- groups.of(list) -> the runs of a list in groups of equal settings, in the order of their first runs: { title = (no
-- two have the same), name = (those that differ in settings alone may have the same), runs = (one for each seed),
-- options = (those of the first), figure = (that by which it is judged) }.
function groups.of(list)
  local found, by_key = {}, {}
  for _, run in ipairs(list) do
    local key = key_of(run)
    local group = by_key[key]
    if not group then
      local name = name_of(run)
      group = { title = name, name = name, runs = {}, options = run.options }
      found[#found + 1], by_key[key] = group, group
    end
    add(group, run)
    group.figure = group.figure or run.figure
  end
  name_apart(found)
  return found
end

-- groups.measured(group [, figure]) -> { figure =, best =, last =, final = }: summaries over its runs (see
-- statistics.summary), as people are shown them; final is of the test at the end, nil where there was none.
function groups.measured(group, figure)
  figure = figure or group.figure
  local result = { figure = figure }
  local function summary(value_of)
    local values = {}
    for _, run in ipairs(group.runs) do
      local value = value_of(run)
      if value then values[#values + 1] = figures.shown(figure, value) end
    end
    return statistics.summary(values)
  end
  if not figure then return result end
  result.best = summary(function(run) return (figures.best(run.reports, figure) or {}).value end)
  result.last = summary(function(run) return (figures.last(run.reports, figure) or {}).value end)
  local _, field = figures.split(figure)
  local final_of = figures.reader("test." .. field)
  result.final = summary(function(run) return run.final and final_of(run.final) end)
  return result
end

return groups
