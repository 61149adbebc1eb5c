-- schedule.lua: learning rates as functions of the number of updates done so far.
--
--   local schedule = icl.schedule { type = "cosine", base_lr = 0.2, epochs = 160, steps_per_epoch = 390 }
--   optimizer:step(schedule(run.step))
--
-- A schedule is a list of segments, an optional warm-up and then those of its type, put one after another. An update
-- that falls exactly on a boundary still belongs to the earlier segment: the first update after a milestone has the
-- old rate, and a restart of `sgdr` shows the minimum first. Milestones count from the end of the warm-up, and those
-- behind the end of the schedule never come. All lengths are in epochs.
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local numbers = require "icl.internal.numbers"

local defaults = {
  type = "constant", base_lr = 0.1, epochs = 160, steps_per_epoch = 1,
  milestones = { 80, 120 }, lr_decay = 0.1,  -- multistep: times lr_decay at each milestone
  lr_min_factor = 0.001,                     -- linear, cosine, sgdr: where they end, relative to base_lr
  T0 = 10, T_mul = 1,                        -- sgdr: length of the first cycle, growth from cycle to cycle
  warmup = {}, as_published = false,
}
local warmup_defaults = { type = "none", epochs = 0, start_factor = 1e-3, exponent = 4 }

-- A segment: `length` in epochs and its factor as a function of x = t / T in [0, 1].
local function segment(length, factor)
  return { length = length, factor = factor }
end

local function cosine_curve(minimum)
  return function(x) return minimum + (1 - minimum) * 0.5 * (1 + math.cos(math.pi * x)) end
end

local function constant_curve(value)
  return function() return value end
end

local types = {}

function types.constant(_, length)
  return { segment(length, constant_curve(1)) }
end

function types.linear(options, length)
  local minimum = options.lr_min_factor
  return { segment(length, function(x) return 1 + (minimum - 1) * x end) }
end

-- Loshchilov and Hutter 2017, one cycle.
function types.cosine(options, length)
  return { segment(length, cosine_curve(options.lr_min_factor)) }
end

-- What comes behind the end never happens.
function types.multistep(options, length)
  local segments, previous = {}, 0
  for k, milestone in ipairs(options.milestones) do
    if milestone > length then break end
    segments[k] = segment(milestone - previous, constant_curve(options.lr_decay ^ (k - 1)))
    previous = milestone
  end
  local drops = #segments
  segments[drops + 1] = segment(length - previous, constant_curve(options.lr_decay ^ drops))
  return segments
end

-- The lengths of cycles of T0, T0 T_mul, T0 T_mul^2, ... epochs, rounded down, that fill a length, and their sum.
local function cycles(options, length)
  local list, total, cycle = {}, 0, options.T0
  while total < length and cycle >= 1 do
    list[#list + 1] = cycle
    total = total + cycle
    cycle = math.floor(cycle * options.T_mul)
  end
  return list, total
end

-- Warm restarts (Loshchilov and Hutter 2017): a cosine in each cycle.
function types.sgdr(options, length)
  local segments = {}
  for k, cycle in ipairs((cycles(options, length))) do
    segments[k] = segment(cycle, cosine_curve(options.lr_min_factor))
  end
  return segments
end

-- The warm-up segment, or nil.
local function warmup_segment(options)
  local warmup = options.warmup
  local start, exponent = warmup.start_factor, warmup.exponent
  if warmup.type == "none" or warmup.epochs == 0 then return nil end
  if warmup.type == "linear" then
    return segment(warmup.epochs, function(x) return start + (1 - start) * x end)
  end
  local scale = options.as_published and options.base_lr or 1
  return segment(warmup.epochs, function(x) return scale * (start + (1 - start) * x ^ exponent) end)
end

-- Epochs that the warm-up takes off. Without a type its length means nothing; as published it is taken off all the
-- same.
local function warmup_length(options)
  return (options.warmup.type ~= "none" or options.as_published) and options.warmup.epochs or 0
end

-- What does not go together in complete options; nil if all does. {name} stands for an option.
local function mismatch(options)
  local taken = warmup_length(options)
  local length = options.epochs - taken
  if length < 0 then
    return numbers.format("{warmup_epochs} %g do not fit into {epochs} %g", taken, options.epochs)
  end
  local previous = 0
  for _, milestone in ipairs(options.type == "multistep" and options.milestones or {}) do
    if milestone < previous then
      return numbers.format("{milestones} must ascend from 0 on; %g comes behind %g", milestone, previous)
    end
    previous = milestone
  end
  if options.type ~= "sgdr" then return nil end
  local _, total = cycles(options, length)
  if total ~= length then
    return numbers.format("the cycles of sgdr with {T0} %g and {T_mul} %g add up to %g epochs, not %g; choose {epochs} "
      .. "to fit", options.T0, options.T_mul, total, length)
  end
end

local function check(options)
  arguments.choice("schedule: type", options.type, arguments.names(types))
  arguments.choice("schedule: warmup.type", options.warmup.type, { "none", "linear", "exponential" })
  arguments.integer("schedule: steps_per_epoch", options.steps_per_epoch, 1)
  arguments.number("schedule: base_lr", options.base_lr, 0)
  arguments.number("schedule: epochs", options.epochs, 0)
  arguments.number("schedule: warmup.epochs", options.warmup.epochs, 0)
  arguments.number("schedule: T0", options.T0, 1)
  arguments.number("schedule: T_mul", options.T_mul, 0)
  local problem = mismatch(options)
  if problem then fail("schedule: " .. problem) end
end

-- The segments of a schedule with their first and last update.
local function build(options)
  local segments = types[options.type](options, options.epochs - warmup_length(options))
  local first = warmup_segment(options)
  if first then table.insert(segments, 1, first) end
  local at = 0
  for _, part in ipairs(segments) do
    part.start = at
    part.steps = part.length * options.steps_per_epoch
    at = at + part.steps
    part.stop = at
  end
  return segments
end

local function factor_at(segments, step, extrapolate)
  local part
  for _, candidate in ipairs(segments) do
    part = candidate
    if step <= part.stop then break end
  end
  if part.steps == 0 then return part.factor(1) end
  local x = (step - part.start) / part.steps
  return part.factor(extrapolate and x or math.min(x, 1))
end

-- icl.schedule { type =, base_lr =, epochs =, steps_per_epoch =, ... } -> a schedule; called with the number of
-- updates done so far (0 before the first) it returns the rate of the next one.
--
-- Types: constant, linear, cosine, multistep, sgdr. Options and defaults are those of the table at the top of this
-- file; warmup = { type = "none" | "linear" | "exponential", epochs = 0, start_factor = 1e-3, exponent = 4 } comes
-- off `epochs`. After the last epoch the rate stays what it was there. `as_published = true` keeps three habits of the
-- published code that figures were made with: the exponential warm-up is multiplied by base_lr once more, a warm-up
-- of type "none" with epochs above 0 still shortens the schedule, and beyond its end the last segment's formula goes
-- on (a cosine rises again).
--
-- Options may be changed later: schedule.base_lr = 0.05. schedule:settings() -> those that were, and
-- schedule:settings(changed) changes them again, as a run does that goes on.
local function new(given)
  local options = arguments.options("icl.schedule", given, defaults)
  options.warmup = arguments.options("icl.schedule: warmup", options.warmup, warmup_defaults)
  check(options)
  local segments, changed, schedule = build(options), {}, {}
  local function change(_, name, value)
    local wanted = arguments.options("schedule", { [name] = value }, options)
    wanted.warmup = arguments.options("schedule: warmup", wanted.warmup, warmup_defaults)
    check(wanted)
    options, segments, changed[name] = wanted, build(wanted), value
  end
  -- The factor that base_lr is multiplied with.
  function schedule.factor(step) return factor_at(segments, step, options.as_published) end
  function schedule.settings(_, again)
    for name, value in pairs(again or {}) do change(nil, name, value) end
    return changed
  end
  return setmetatable(schedule, {
    __index = function(_, name) return options[name] end,
    __newindex = change,
    __call = function(_, step) return options.base_lr * factor_at(segments, step, options.as_published) end,
    __tostring = function()
      return numbers.format("schedule %s, base_lr %g, %g epochs", options.type, options.base_lr, options.epochs)
    end,
  })
end

-- The options of a schedule by those of icl.options.training.
local function settings_of(o)
  return {
    type = o.schedule, base_lr = o.base_lr, epochs = o.epochs, milestones = o.milestones, lr_decay = o.lr_decay,
    lr_min_factor = o.lr_min_factor, T0 = o.T0, T_mul = o.T_mul, as_published = o.as_published,
    warmup = { type = o.warmup, epochs = o.warmup_epochs, start_factor = o.warmup_start_factor,
               exponent = o.warmup_exponent },
  }
end

-- icl.schedule.types: the names of all types.
local schedule = { types = arguments.names(types) }

-- icl.schedule.from_options(options, steps_per_epoch) -> the schedule that options such as those of
-- icl.options.training ask for.
function schedule.from_options(options, steps_per_epoch)
  arguments.typed("icl.schedule.from_options: options", options, "table", "a table of options")
  local settings = settings_of(options)
  settings.steps_per_epoch = steps_per_epoch
  return new(settings)
end

-- What does not go together in such options; nil if all does.
function schedule.problem(options)
  return mismatch(settings_of(options))
end

return setmetatable(schedule, { __call = function(_, given) return new(given) end })
