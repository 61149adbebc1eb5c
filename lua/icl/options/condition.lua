-- options/condition.lua: when an option means something. A condition is one of
--
--   { mixup = true, schedule = { "linear", "cosine" } }   these options have these values, or one of these
--   { { cutout = true }, { dual_cutout = true } }          one of these conditions holds
--   { "{type} cifar", function(values) ... end }           words for people, {name} for an option; whether it holds
--
-- Options that a list does not have, or whose value is left to the recipe, keep no condition from holding.
local arguments = require "icl.internal.arguments"
local rules = require "icl.internal.rules"
local usage = require "icl.internal.usage"

local condition = {}

local function is_custom(only)
  return type(only[2]) == "function"
end

local function has(values, name, wanted)
  local value = values[name]
  if value == nil then return true end
  for _, one in ipairs(type(wanted) == "table" and wanted or { wanted }) do
    if value == one then return true end
  end
  return false
end

-- condition.holds(only, values) -> does the condition hold for these values of options?
function condition.holds(only, values)
  if is_custom(only) then return only[2](values) end
  for _, alternative in ipairs(only) do
    if condition.holds(alternative, values) then return true end
  end
  if #only > 0 then return false end
  for name, wanted in pairs(only) do
    if not has(values, name, wanted) then return false end
  end
  return true
end

-- condition.written(name, value [, switches]) -> a value of an option as it would be written in Lua, or typed.
function condition.written(name, value, switches)
  if not switches then
    local shown = type(value) == "boolean" and tostring(value) or rules.shown(value)
    return ("%s = %s"):format(name, shown)
  end
  local flag = name:gsub("_", "-")
  if type(value) == "boolean" then return (value and "--" or "--no-") .. flag end
  return ("--%s %s"):format(flag, rules.shown(value))
end

local function wanted_text(name, wanted, switches)
  return condition.written(name, type(wanted) == "table" and table.concat(wanted, " or ") or wanted, switches)
end

-- condition.text(only [, switches]) -> what makes it hold, in Lua or as switches: "--cutout or --dual-cutout".
function condition.text(only, switches)
  if is_custom(only) then return (usage.named(only[1], switches)) end
  local parts = {}
  for i, alternative in ipairs(only) do parts[i] = condition.text(alternative, switches) end
  if #parts > 0 then return table.concat(parts, " or ") end
  for i, name in ipairs(arguments.names(only)) do parts[i] = wanted_text(name, only[name], switches) end
  return table.concat(parts, " and ")
end

-- condition.prefixed(only, prefix) -> the same about options whose names have a prefix.
function condition.prefixed(only, prefix)
  if is_custom(only) then return only end
  local result = {}
  for key, wanted in pairs(only) do
    if math.type(key) then
      result[key] = condition.prefixed(wanted, prefix)
    else
      result[prefix .. key] = wanted
    end
  end
  return result
end

return condition
