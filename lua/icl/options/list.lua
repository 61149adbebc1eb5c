-- options/list.lua: lists of options: what they are called, which values they take, what they stand for together.
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local condition = require "icl.options.condition"
local read = require "icl.options.command_line"
local help = require "icl.options.help"
local results = require "icl.options.results"
local rules = require "icl.internal.rules"
local seeds = require "icl.options.seeds"
local tracked = require "icl.internal.tracked"
local usage = require "icl.internal.usage"

local Options = {}
Options.__index = Options

-- The type of an option, from its default: integer, float, boolean, string, list (of numbers), flags (a list of
-- booleans).
local function type_of(default)
  if type(default) == "table" then return type(default[1]) == "boolean" and "flags" or "list" end
  return math.type(default) or type(default)
end

-- What may be said of an option besides its name, default and help; see :value.
local limit_names = { "min", "max", "below", "type", "only", "neutral", "may_change", "transient", "optional", "alias" }

-- Limits must leave something, and the default with it.
local function check_limits(spec)
  local are_numbers = spec.type == "integer" or spec.type == "float" or spec.type == "list"
  for _, name in ipairs { "min", "max", "below" } do
    local limit = spec[name]
    if limit ~= nil and (not are_numbers or type(limit) ~= "number" or limit ~= limit) then
      fail("options: %s: %s is %s; limits are numbers, of options that are", spec.name, name, rules.shown(limit))
    end
  end
  if spec.min and spec.max and spec.min > spec.max then
    fail("options: %s: min is %s and max is %s", spec.name, rules.shown(spec.min), rules.shown(spec.max))
  end
  if spec.below and spec.min and spec.min >= spec.below then
    fail("options: %s: min is %s and below is %s", spec.name, rules.shown(spec.min), rules.shown(spec.below))
  end
  if spec.default == nil or spec.default == math.huge or spec.default == -math.huge then return end
  local _, expected = rules.check(spec, spec.default)
  if expected then
    fail("options: the default of %s is %s; it must be %s", spec.name, rules.shown(spec.default), expected)
  end
end

local function check_spec(spec)
  if type(spec.name) ~= "string" or not spec.name:find "^%a[%w_]*$" then
    fail("options: %s is no name of an option; it is written like batch_size", arguments.described(spec.name))
  end
  local what = "options: " .. spec.name
  arguments.typed(what .. ": help", spec.help, "string", "a text")
  if not rules.is_type(spec.type) then
    fail("%s: the default is %s, of which no type follows; give { type = \"integer\" } or another one of %s", what,
      arguments.described(spec.default), table.concat(rules.types, ", "))
  end
  check_limits(spec)
end

-- Of a flag x and an option no_x the switch --no-x could be either.
local function check_switches(self, spec)
  local positive = self.specs[spec.name:match "^no_(.+)$"]
  local negative = spec.type == "boolean" and self.specs["no_" .. spec.name]
  if (positive and positive.type == "boolean") or negative then
    local switch = (positive and spec.name or "no_" .. spec.name):gsub("_", "-")
    fail("options: --%s would be two switches; choose another name", switch)
  end
end

-- Adds the description of one option; options keep the order in which they were declared. The field `only` of `limits`
-- is a condition (condition.lua); those of a description are a list, in which all must hold.
local function declare(self, spec, limits)
  limits = arguments.options("options: " .. tostring(spec.name), limits, {}, limit_names)
  check_spec(spec)
  spec.only = spec.only or { limits.only }
  spec.group = spec.group or self  -- in which it was declared first
  for _, name in ipairs { "alias", "may_change", "neutral", "optional", "transient" } do
    spec[name] = spec[name] or limits[name]
  end
  if self.specs[spec.name] then fail("options: %s was declared twice", spec.name) end
  check_switches(self, spec)
  if help.is_common(spec.name) then fail("options: every list has --%s; choose another name", spec.name) end
  self.specs[spec.name] = spec
  if spec.alias then self.aliases[spec.alias] = spec end
  self.order[#self.order + 1] = spec
  return self
end

-- options:value(name, default, help [, limits]): an option with a value. `default` is a number, a string or a list of
-- numbers (given as 80,120) or booleans (yes,no). limits: min, max, below (numbers, of which the last is too much
-- already; of a list, for its items), type (where the default is nil: the option is then absent unless given; or
-- "path", a string), only = { mixup = true }: the option means something only with these values of others, and is an
-- error when it is typed without; see options/condition.lua. neutral = true: the figures of a run do not depend on it;
-- may_change = true: a run that goes on may have another value; transient = true: it is about this call alone and not
-- kept with a run; optional = true: the switch may stand without a value, which is "" then; alias = "lr": what it may
-- be called on the command line, too.
function Options:value(name, default, text, limits)
  local given, what = type(limits) == "table" and limits or {}, "options: " .. tostring(name)
  if given.choices ~= nil then fail("%s: a value has no choices; :choice(name, default, choices, help) has", what) end
  if given.type ~= nil then arguments.choice(what .. ": type", given.type, rules.types) end
  return declare(self, { name = name, default = default, help = text, type = given.type or type_of(default),
                         min = given.min, max = given.max, below = given.below }, limits)
end

-- options:flag(name, default, help [, { only =, neutral = }]): --name and --no-name. With nil as default the recipe
-- decides when neither is given.
function Options:flag(name, default, text, limits)
  if default ~= nil then arguments.typed("options: a flag's default", default, "boolean", "true, false or nil") end
  return declare(self, { name = name, default = default, help = text, type = "boolean" }, limits)
end

-- options:choice(name, default, choices, help [, { only =, neutral = }]): one of a list of words.
function Options:choice(name, default, choices, text, limits)
  arguments.typed("options: the choices of " .. tostring(name), choices, "table", "a list of words")
  if default ~= nil then arguments.choice("options: the default of " .. tostring(name), default, choices) end
  return declare(self, { name = name, default = default, help = text, type = "choice", choices = choices }, limits)
end

-- options:include(group, ...): the options of groups, which are option lists themselves. What a group wants done with
-- the parsed options (`:after`) and what it demands of them (`:check`) comes along.
function Options:include(...)
  for i = 1, select("#", ...) do
    local group = select(i, ...)
    if getmetatable(group) ~= Options then
      fail("options: include: it takes groups such as icl.options.data, not %s", arguments.described(group))
    end
    self.order[#self.order + 1] = { heading = group.title }
    for _, spec in ipairs(group.order) do
      local copy = {}
      for key, value in pairs(spec) do copy[key] = value end
      if copy.name then declare(self, copy) end
    end
    for _, kind in ipairs { "actions", "checks", "derived" } do
      table.move(group[kind], 1, #group[kind], #self[kind] + 1, self[kind])
    end
  end
  return self
end

-- options:take(group, names): some options of a group, with what it demands of them.
function Options:take(group, names)
  for _, name in ipairs(names) do
    local copy = {}
    for key, value in pairs(group:spec_of(name, "take")) do copy[key] = value end
    declare(self, copy)
  end
  table.move(group.checks, 1, #group.checks, #self.checks + 1, self.checks)
  return self
end

-- :add(others, prefix [, only]): the options of another list and its checks, each option under a name with a prefix,
-- and with one more condition.
function Options:add(others, prefix, only)
  for _, spec in ipairs(others.order) do
    local copy = {}
    for key, value in pairs(spec) do copy[key] = value end
    copy.name, copy.only, copy.alias = prefix .. spec.name, { only }, nil
    for _, inner in ipairs(spec.only) do copy.only[#copy.only + 1] = condition.prefixed(inner, prefix) end
    declare(self, copy)
  end
  for _, rule in ipairs(others.checks) do
    self:check(function(values)
      local message = rule(others:select(values, prefix))
      return message and (message:gsub("{([%a_][%w_]*)}", "{" .. prefix .. "%1}"))
    end)
  end
  return self
end

-- options:default { name = value, ... }: other defaults for options that are declared already.
function Options:default(values)
  arguments.typed("options: default", values, "table", "a table { name = value }")
  for name, given in pairs(values) do
    local spec = self:spec_of(name, "default")
    local value, expected = rules.check(spec, given)
    if expected then fail("options: default: %s is %s; it must be %s", name, rules.shown(given), expected) end
    spec.default = value
  end
  return self
end

-- options:preset(name, values, note): values for several options under one name, for --preset NAME.
function Options:preset(name, values, note)
  arguments.typed("options: preset", name, "string", "a name")
  arguments.typed("options: preset " .. name, values, "table", "a table { name = value }, and behind it comes a note")
  if self.presets[name] then fail("options: preset %s was declared twice", name) end
  local checked = {}
  for key, given in pairs(values) do
    local value, expected = rules.check(self:spec_of(key, "preset " .. name), given)
    if expected then fail("options: preset %s: %s is %s; it must be %s", name, key, rules.shown(given), expected) end
    checked[key] = value
  end
  self.presets[name] = { values = checked, note = note }
  self.preset_order[#self.preset_order + 1] = name
  return self
end

-- options:results(title)(table): published figures and their settings, as a person reads them (options/notation.lua),
-- for --result and --list-results. Defaults and presets come before it.
function Options:results(title)
  return function(text)
    results.add(self, title, text)
    return self
  end
end

-- options:neutral(): the figures of a run depend on none of the options that were declared so far.
function Options:neutral()
  for _, spec in pairs(self.specs) do spec.neutral = true end
  return self
end

-- options:example(text): a command line for --help.
function Options:example(text)
  self.examples[#self.examples + 1] = text
  return self
end

-- options:after(action): called with the parsed options at the end of parse.
function Options:after(action)
  self.actions[#self.actions + 1] = action
  return self
end

-- options:check(rule): rule(values) returns a message where values do not go together; {name} in it stands for an
-- option.
function Options:check(rule)
  self.checks[#self.checks + 1] = rule
  return self
end

-- :problem(values [, switches]) -> what is wrong with values together, or nil; options are called as in Lua, or by
-- their switches.
function Options:problem(values, switches)
  values = tracked.plain(values)
  for _, rule in ipairs(self.checks) do
    local message = rule(values)
    if message then return (usage.named(message, switches)) end
  end
end

-- options:derive(rule): rule(values, given, base) may change values that were not given because of others that were;
-- `given` has those alone, and `base` the values without them. It returns a text for the log where it changed
-- something.
function Options:derive(rule)
  self.derived[#self.derived + 1] = rule
  return self
end

-- :settle(base, given) -> the values of base, those that are given in place of them, and what follows from these; and
-- the texts for the log.
function Options:settle(base, given)
  local values, notes = {}, {}
  for name, value in pairs(base) do values[name] = value end
  for name, value in pairs(given) do values[name] = value end
  for _, rule in ipairs(self.derived) do notes[#notes + 1] = rule(values, given, base) end
  return values, notes
end

-- :unmet(values, given [, switches]) -> a message about the first of the given options that means nothing with these
-- values, or nil; options are called as in Lua, or by their switches. In Lua a default may be given in any case, since
-- tables are made of others.
function Options:unmet(values, given, switches)
  for _, spec in ipairs(self.order) do
    local value = spec.name and given[spec.name]
    if value ~= nil and spec.name and (switches or help.shown(value) ~= help.shown(spec.default)) then
      for _, only in ipairs(spec.only) do
        if not condition.holds(only, values) then
          return ("%s means nothing without %s"):format(condition.written(spec.name, value, switches),
            condition.text(only, switches))
        end
      end
    end
  end
end

-- :unread(values, given) -> the names, in order, of those of the given options that nothing has read of the values; one
-- that has its default is none of them.
function Options:unread(values, given)
  local names = {}
  for _, spec in ipairs(self.order) do
    local value = spec.name and given[spec.name]
    local changes = value ~= nil and spec.name and help.shown(value) ~= help.shown(spec.default)
    if changes and not tracked.was_read(values, spec.name) then names[#names + 1] = spec.name end
  end
  return names
end

-- :in_force(values) -> those of the values that mean something, without those that are about one call alone.
function Options:in_force(values)
  values = tracked.plain(values)
  local result = {}
  for _, spec in ipairs(self.order) do
    local holds = spec.name and values[spec.name] ~= nil and not spec.transient
    for _, only in ipairs(holds and spec.only or {}) do holds = holds and condition.holds(only, values) end
    if holds then result[spec.name] = values[spec.name] end
  end
  return result
end

-- :defaults() -> table of the values that options have when nothing is given.
function Options:defaults()
  local values = {}
  for name, spec in pairs(self.specs) do values[name] = spec.default end
  return values
end

-- options:names() -> the names of all options, sorted.
function Options:names()
  return arguments.names(self.specs)
end

-- :spec_of(name, what) -> the description of an option; an error that begins with `what` where there is none.
function Options:spec_of(name, what)
  local spec = self.specs[name]
  if not spec then
    fail("options: %s: there is no option '%s'%s", what, name, arguments.suggestion(name, self:names()))
  end
  return spec
end

-- :read(words) -> table of values, and where they came from (usage.remember); or nil and a message about what is wrong;
-- or false and the text that was asked for.
Options.read = read

-- options:parse(arg) -> table of values, which notes what is read of it. --help, --list-presets, --list-results and a
-- command line that is wrong are errors whose text is what there is to say; where no pcall takes them they end the
-- program with exit code 0 or 2. So is --seeds, after the runs with these seeds.
function Options:parse(words)
  arguments.typed("options: parse", words, "table", "the words of the command line, arg")
  for i, word in ipairs(words) do arguments.typed(("options: parse: word %d"):format(i), word, "string", "a text") end
  local program, result, more = words[0] or "icl", self:read(words)
  if result == false then usage.leave(0, more) end
  if not result then usage.wrong(program, more) end
  more.program = program
  if more.seeds then seeds(words, more) end
  result = tracked.new(result)
  usage.remember(result, more)
  for _, action in ipairs(self.actions) do action(result) end
  return result
end

-- :complete(what, given) -> the values of a table, which are checked as those of a command line are, and the defaults
-- of all others. `what` names the function for messages. Values of a command line may mean nothing with each other,
-- since presets and defaults are among them; what was typed was checked when it was read.
function Options:complete(what, given)
  arguments.options(what, given, {}, self:names())
  local checked = {}
  for name, value in pairs(given or {}) do checked[name] = self:checked(what, name, value) end
  local values, notes = self:settle(self:defaults(), checked)
  local problem = not usage.program() and self:unmet(values, checked) or self:problem(values)
  if problem then fail("%s: %s", what, problem) end
  return values, notes
end

-- :checked(what, name, value) -> a value that is given for an option in Lua, as its type has it.
function Options:checked(what, name, value)
  local checked, expected = rules.check(self.specs[name], value)
  if expected then fail("%s: {" .. name .. "} is %s; it must be %s", what, rules.shown(value), expected) end
  return checked
end

-- :select(values [, prefix]) -> those of the values that are of these options; in `values` their names begin with
-- `prefix`.
function Options:select(values, prefix)
  local selected = {}
  for name in pairs(self.specs) do selected[name] = values[(prefix or "") .. name] end
  return selected
end

-- The title and the options, one a line.
function Options:__tostring()
  return self.title .. "\n" .. table.concat(help.lines(self), "\n")
end

-- new(title) -> an empty list of options.
local function new(title)
  local self = { title = title, specs = {}, aliases = {}, order = {}, presets = {}, preset_order = {}, tables = {},
                 cells = {}, examples = {}, actions = {}, checks = {}, derived = {} }
  return setmetatable(self, Options)
end

return new
