-- fit/settings.lua: the options of a training: those of a command line, which were checked there, or a table that was
-- written by hand.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local models = require "icl.models"
local new_options = require "icl.options.list"
local option_groups = require "icl.options"
local random = require "icl.random"
local results = require "icl.options.results"
local tracked = require "icl.internal.tracked"
local unread = require "icl.options.unread"
local usage = require "icl.internal.usage"

local settings = {}

local loader_options = { batch_size = true, global_batch_size = true, eval_batch_size = true, drop_last = true,
                         balanced = true, repeats = true }

-- All options that icl.fit reads. What these demand of each other is checked by group: a training needs no folder.
local all = new_options "icl.fit"
for _, name in ipairs(option_groups.names) do all:include(option_groups[name]) end

-- A table for a training may hold the options of a model too, and one of a command line those of its recipe.
local function is_known_elsewhere(name, origin)
  if origin and origin.list.specs[name] then return true end
  for _, family in ipairs(models.names) do
    if models[family].options.specs[name] then return true end
  end
  return false
end

local function check_name(name, origin)
  if all.specs[name] or is_known_elsewhere(name, origin) then return end
  fail("icl.fit: options: there is no option '%s'%s", tostring(name),
    arguments.suggestion(tostring(name), all:names()))
end

-- The engine's options and the seed of a table written by hand take effect now; those of a command line did before.
local function act(given, o)
  for _, group in ipairs { option_groups.engine, option_groups.precision } do
    for name in pairs(group.specs) do
      if given[name] ~= nil then
        for _, action in ipairs(group.actions) do action(o) end
        break
      end
    end
  end
  if given.seed then random.seed(given.seed) end
end

-- What means nothing without another option. Where no data set is named, any may be there.
local function unmet(o, given)
  local values = setmetatable({}, { __index = function(_, name)
    if name ~= "dataset" or given.dataset then return o[name] end
  end })
  return all:unmet(values, given)
end

-- settings.complete(given) -> the options with the defaults where something is not given, and texts for the log. What
-- is read of them is noted.
function settings.complete(given)
  given = given or {}
  local origin, checked = usage.origin(given), {}
  for name, value in pairs(tracked.plain(given)) do
    check_name(name, origin)
    if all.specs[name] then checked[name] = all:checked("icl.fit: options", name, value) end
  end
  local o, notes = all:settle(all:defaults(), checked)
  local problem = not origin and unmet(o, checked)
    or option_groups.augmentation:problem(o) or option_groups.training:problem(o) or option_groups.precision:problem(o)
  if problem then fail("icl.fit: options: " .. problem) end
  o = tracked.new(o, given)
  if not origin then act(given, o) end
  usage.inherit(o, given)
  return o, origin and origin.notes or notes
end

-- Is it an option that a training reads before its run begins? Others are the run's, or the engine's; and icl.data.open
-- reads its own, which of a table written by hand is not noted.
local function is_of_training(name, by_hand)
  local group = all.specs[name] and all.specs[name].group
  if group == option_groups.data then return loader_options[name] or not by_hand end
  return group == option_groups.augmentation or group == option_groups.training
end

-- settings.check_read(o, given, replaced): the options of a training that nothing has read have no effect, such as
-- those of an optimizer where one was given: an error on a command line, and of a table written by hand, which others
-- may read, -> a text for the log, or nil. o: of settings.complete; replaced: the names of what was given in place of
-- what options say.
function settings.check_read(o, given, replaced)
  local origin, names = usage.origin(given), {}
  for _, name in ipairs((origin and origin.list or all):unread(o, origin and origin.given or given)) do
    if is_of_training(name, not origin) then names[#names + 1] = name end
  end
  local given_besides = #replaced > 0 and ", which was given " .. table.concat(replaced, " and ") or ""
  local text = unread.text(names, "nothing has read %s before icl.fit" .. given_besides)
  if text and origin then fail("icl.fit: " .. text) end
  return text and "icl.fit: options: " .. usage.named(text)
end

-- settings.default(name) -> what an option is when nothing is given.
function settings.default(name)
  return all.specs[name].default
end

-- settings.changed(given) -> a list of options that differ from the defaults, as they would be typed; the names of
-- presets, and of the published result whose settings these are, or nil.
function settings.changed(given)
  local help = require "icl.options.help"
  local origin = usage.origin(given)
  local list, changed = origin and origin.list or all, {}
  local defaults = list:defaults()
  given = tracked.plain(given)
  for _, spec in ipairs(list.order) do
    local value = spec.name and given[spec.name]
    if value ~= nil and spec.name and help.shown(value) ~= help.shown(defaults[spec.name]) then
      changed[#changed + 1] = help.written(spec.name, value)
    end
  end
  return changed, origin and origin.presets or {}, origin and origin.result
end

-- settings.published(given) -> what was published with these settings, such as "8.21 %"; nil where nothing was.
function settings.published(given)
  local origin = usage.origin(given)
  local cell = origin and results.cell(origin.list, tracked.plain(given))
  return cell and results.text(cell)
end

return settings
