-- schedule.lua: learning rates as functions of the number of updates done so far.
--
--   local schedule = icl.schedule { type = "cosine", base_lr = 0.2, epochs = 160, steps_per_epoch = 390 }
--   optimizer:step(schedule(run.step))
--
-- A schedule is a list of segments, an optional warm-up and then those of its type, put one after another. An update
-- that falls exactly on a boundary still belongs to the earlier segment: the first update after a milestone has the
-- old rate, and a restart of `sgdr` shows the minimum first. Milestones count from the end of the warm-up. All
-- lengths are in epochs.
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"

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

function types.multistep(options, length)
  local segments, previous = {}, 0
  for k, milestone in ipairs(options.milestones) do
    if milestone < previous or milestone > length then
      fail("schedule: milestone %g must lie between %g and %g, the epochs after the warm-up", milestone,
        previous, length)
    end
    segments[k] = segment(milestone - previous, constant_curve(options.lr_decay ^ (k - 1)))
    previous = milestone
  end
  local last = #options.milestones
  segments[last + 1] = segment(length - previous, constant_curve(options.lr_decay ^ last))
  return segments
end

-- Warm restarts (Loshchilov and Hutter 2017): cosine cycles of T0, T0 T_mul, T0 T_mul^2, ... epochs, rounded down.
function types.sgdr(options, length)
  local segments, total, cycle = {}, 0, options.T0
  while total < length and cycle >= 1 do
    segments[#segments + 1] = segment(cycle, cosine_curve(options.lr_min_factor))
    total = total + cycle
    cycle = math.floor(cycle * options.T_mul)
  end
  if total ~= length then
    fail("schedule: the cycles of sgdr with T0 = %g and T_mul = %g add up to %g epochs, not %g; choose epochs to fit",
      options.T0, options.T_mul, total, length)
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

local function check(options)
  arguments.choice("schedule: type", options.type, arguments.names(types))
  arguments.choice("schedule: warmup.type", options.warmup.type, { "none", "linear", "exponential" })
  arguments.integer("schedule: steps_per_epoch", options.steps_per_epoch, 1)
  arguments.number("schedule: base_lr", options.base_lr, 0)
  arguments.number("schedule: epochs", options.epochs, 0)
  arguments.number("schedule: warmup.epochs", options.warmup.epochs, 0)
  arguments.number("schedule: T0", options.T0, 1)
  arguments.number("schedule: T_mul", options.T_mul, 0)
  if options.warmup.epochs > options.epochs then
    fail("schedule: a warm-up of %g epochs does not fit into %g epochs", options.warmup.epochs, options.epochs)
  end
end

-- The segments of a schedule with their first and last update.
local function build(options)
  local warmup = options.warmup
  -- Without a warm-up its length means nothing; as published it is taken off all the same.
  local taken = (warmup.type ~= "none" or options.as_published) and warmup.epochs or 0
  local segments = types[options.type](options, options.epochs - taken)
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
local function new(given)
  local options = arguments.options("icl.schedule", given, defaults)
  options.warmup = arguments.options("icl.schedule: warmup", options.warmup, warmup_defaults)
  check(options)
  local segments = build(options)
  local schedule = { options = options }
  -- The factor that base_lr is multiplied with.
  function schedule.factor(step) return factor_at(segments, step, options.as_published) end
  return setmetatable(schedule, {
    __call = function(_, step) return options.base_lr * factor_at(segments, step, options.as_published) end,
    __tostring = function()
      return ("schedule %s, base_lr %g, %g epochs"):format(options.type, options.base_lr, options.epochs)
    end,
  })
end

-- icl.schedule.types: the names of all types.
return setmetatable({ types = arguments.names(types) }, { __call = function(_, given) return new(given) end })
