-- optim/settings.lua: the options of an optimizer and of its groups. They may be changed between steps; what is not an
-- option, or no value for it, is an error where it is assigned.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"

local settings = {}

local changes = setmetatable({}, { __mode = "k" })

local function copy(list)
  return table.move(list, 1, #list, 1, {})
end

-- `value` for the option `name`, whose default is of its type; a list as a copy.
local function checked(what, name, value, default)
  if type(value) ~= type(default) then
    fail("%s: %s is %s; it must be a %s", what, name, arguments.described(value), type(default))
  end
  local label = ("%s: %s"):format(what, name)
  if type(value) == "number" then arguments.number(label, value, 0) end
  if type(value) ~= "table" then return value end
  for _, number in ipairs(value) do arguments.number(label, number, 0) end
  return copy(value)
end

-- What `rule`, { defaults =, settled =, check = }, says of a change of `values` (and of what lies behind them).
local function accept(what, rule, values, name, value)
  if rule.defaults[name] == nil then
    if rule.elsewhere and rule.elsewhere[name] then fail("%s: %s", what, rule.elsewhere[name]) end
    fail("%s: there is no option '%s'%s; there are %s", what, tostring(name),
      arguments.suggestion(tostring(name), arguments.names(rule.defaults)),
      table.concat(arguments.names(rule.defaults), ", "))
  end
  local wanted = checked(what, name, value, rule.defaults[name])
  if rule.check then rule.check(what, setmetatable({ [name] = wanted }, { __index = values })) end
  return wanted
end

-- settings.new(what, rule, given [, behind]) -> a table of options. rule = { defaults = all options, check =
-- function(what, options) or nil, settled = { name = true } of those that cannot be changed later, elsewhere = { name =
-- where it is given that is none of them } or nil }. What is not given
-- is that of the table `behind`, at any time, or without one the default.
function settings.new(what, rule, given, behind)
  local values = setmetatable({}, { __index = function(_, name)
    local value = behind and behind[name]
    if value == nil then value = rule.defaults[name] end
    return value
  end })
  for name, value in pairs(behind and {} or rule.defaults) do
    if type(value) == "table" then values[name] = copy(value) end
  end
  local unchecked = { defaults = rule.defaults, elsewhere = rule.elsewhere }
  for name, value in pairs(given or {}) do values[name] = accept(what, unchecked, values, name, value) end
  if rule.check then rule.check(what, values) end
  local result = setmetatable({}, {
    __index = values,
    __newindex = function(self, name, value)
      if rule.settled[name] then fail("%s: %s is settled when the optimizer is made", what, name) end
      values[name] = accept(what, rule, values, name, value)
      changes[self][name] = values[name]
    end,
    __pairs = function()
      local all = {}
      for name in pairs(rule.defaults) do all[name] = values[name] end
      return next, all
    end,
  })
  changes[result] = {}
  return result
end

-- settings.changed(options) -> those that were assigned since the table was made, by name.
function settings.changed(options)
  return changes[options]
end

return settings
