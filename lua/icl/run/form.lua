-- run/form.lua: what the metadata of a checkpoint must look like, so that whatever was done to a file is found when it
-- is read.
local arguments = require "icl.internal.arguments"

local form = {}

local function all(value, is_key, is_value)
  if type(value) ~= "table" then return false end
  for key, item in pairs(value) do
    if not (is_key(key) and is_value(item)) then return false end
  end
  return true
end

-- ---- kinds of values ----

local is = {}

for _, name in ipairs { "string", "number", "boolean", "table" } do
  is[name] = function(value) return type(value) == name end
end

function is.integer(value)
  return math.type(value) == "integer"
end

function is.count(value)
  return is.integer(value) and value >= 0
end

local function optional(check)
  return function(value) return value == nil or check(value) end
end

local function list_of(check)
  return function(value) return all(value, function(key) return is.count(key) and key <= #value end, check) end
end

local function names_to(check)
  return function(value) return all(value, is.string, check) end
end

-- A table with these fields; others may be there.
local function fields(checks)
  return function(value)
    if type(value) ~= "table" then return false end
    for name, check in pairs(checks) do
      if not check(value[name]) then return false end
    end
    return true
  end
end

local function either(one, other)
  return function(value) return one(value) or other(value) end
end

-- ---- what there is ----

local numbers_by_name = names_to(is.number)
local loop_of_evaluation = fields { training = function(value) return value == false end }
local loop_of_training = fields {
  finished = is.count, images = is.number, last = numbers_by_name, average = numbers_by_name,
  logged = numbers_by_name, done = optional(is.boolean), training = is.boolean,
}
local is_empty = function(value) return type(value) == "table" and next(value) == nil end

-- The fields of the state, unpacked, and of what is beside it.
local of_state = {
  name = is.string, epoch = is.count, inside = is.boolean, step = is.count, seconds = is.number,
  steps_per_epoch = optional(is.count), loops = list_of(either(loop_of_evaluation, loop_of_training)),
  ends = optional(fields { asked = is.count, last = is.count }),
  loaders = list_of(is.table), memory = is.table, changes = list_of(fields { name = is.string, step = is.number }),
  best = either(is_empty, fields { name = is.string, value = is.number, epoch = is.count }),
}
local of_file = {
  icl = is.string, build = is.string, threads = is.count, shares = optional(is.count),
  processes = optional(is.count), seed = is.integer,
  settings = names_to(is.table), figures = optional(is.table), frozen = optional(list_of(is.string)),
}

local function first_wrong(value, checks, what)
  for _, name in ipairs(arguments.names(checks)) do
    if not checks[name](value[name]) then return what .. name end
  end
end

-- form.wrong(about) -> the name of what is not as it must be in the metadata of a checkpoint, whose texts and numbers
-- are unpacked; or nil.
function form.wrong(about)
  return first_wrong(about, of_file, "") or first_wrong(about.state, of_state, "state.")
end

return form
