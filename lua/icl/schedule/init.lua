-- schedule: learning rates as functions of the number of updates done so far.
--
--   local schedule = icl.schedule { type = "cosine", base_lr = 0.2, epochs = 160, steps_per_epoch = loader.batches }
--   optimizer:step(schedule(run.step))
--   print(schedule)                                                   -- draws it
--
-- A schedule is a list of segments, an optional warm-up and then those of its type, put one after another. An update
-- that falls exactly on a boundary still belongs to the earlier segment: the first update after a milestone has the
-- old rate, and a restart of `sgdr` shows the minimum first. Milestones count from the end of the warm-up, and those
-- behind the end of the schedule never come. Lengths are in epochs, but for restart_steps.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local numbers = require "icl.internal.numbers"
local picture = require "icl.schedule.picture"
local plateau = require "icl.schedule.plateau"
local strict = require "icl.internal.strict"
local types = require "icl.schedule.types"

local defaults = {
  type = "constant", base_lr = 0.1, epochs = 160,
  milestones = { 80, 120 }, lr_decay = 0.1,  -- multistep: times lr_decay at each milestone; plateau: at each drop
  lr_min_factor = 0.001,                     -- linear, cosine, sgdr, cosine_restarts, polynomial: where they end,
                                             -- relative to base_lr; plateau: not below
  T0 = 10, T_mul = 1,                        -- sgdr: length of the first cycle, growth from cycle to cycle
  restart_steps = 1000,                      -- cosine_restarts: updates of the first cycle, which grow by T_mul
  power = 1,                                 -- polynomial: the exponent
  lr_gamma = 0.95,                        -- exponential: times this in each epoch
  pct_start = 0.3, div_factor = 25,          -- one_cycle: part of the epochs that the rate rises for; where it begins,
                                             -- base_lr / div_factor
  final_div_factor = 1e4,                    -- one_cycle: where it ends, relative to its beginning: divided by this
  three_phase = false, anneal = "cos",       -- one_cycle: falls as long as it rose, and then to its end; "linear"
  mode = "min", patience = 10,               -- plateau: is a smaller figure better, or ("max") a larger; how many in a
                                             -- row may be no better
  threshold = 1e-4, cooldown = 0,            -- plateau: how much better counts, relative; figures after a drop that do
                                             -- not count
  warmup = {}, as_published = false,
}
local warmup_defaults = { type = "none", epochs = 0, start_factor = 1e-3, exponent = 4 }
local segment = types.segment

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

-- What messages call an option of icl.schedule.
local function own_name(name)
  return name
end

-- The names of those that are called otherwise among icl.options.training.
local names_in_training = { type = "schedule", ["warmup.epochs"] = "warmup_epochs", pct_start = "one_cycle_pct_start" }

-- The same where they come from icl.options.training: {name} stands for an option.
local function name_in_training(name)
  return ("{%s}"):format(names_in_training[name] or name)
end

local function one_cycle_mismatch(options, name)
  if options.warmup.type ~= "none" then
    return ("%s one_cycle rises by itself; leave out %s"):format(name "type", name "warmup")
  elseif options.three_phase and options.pct_start > 0.5 then
    return numbers.format("%s is %g; it must be at most 0.5 with three phases", name "pct_start", options.pct_start)
  end
end

-- What does not go together in complete options, which messages call name(option); nil if all does.
local function mismatch(options, name)
  local taken = warmup_length(options)
  local length = options.epochs - taken
  if length < 0 then
    return numbers.format("%s %g do not fit into %s %g", name "warmup.epochs", taken, name "epochs", options.epochs)
  end
  local previous = 0
  for _, milestone in ipairs(options.type == "multistep" and options.milestones or {}) do
    if milestone < previous then
      return numbers.format("%s must ascend from 0 on; %g comes behind %g", name "milestones", milestone, previous)
    end
    previous = milestone
  end
  if options.type == "one_cycle" then return one_cycle_mismatch(options, name) end
  if options.type == "cosine_restarts" and options.T_mul < 1 then
    return numbers.format("%s is %g; cycles of cosine_restarts must not shrink: it must be at least 1", name "T_mul",
      options.T_mul)
  end
  if options.type ~= "sgdr" then return nil end
  local _, total = types.cycles(options, length)
  if total ~= length then
    return numbers.format("the cycles of sgdr with %s %g and %s %g add up to %g epochs, not %g; choose %s to fit",
      name "T0", options.T0, name "T_mul", options.T_mul, total, length, name "epochs")
  end
end

-- Types whose rate does not depend on the update.
local timeless = { constant = true, plateau = true }

local function check_steps(options)
  local steps = options.steps_per_epoch
  if steps == nil and not (timeless[options.type] and warmup_length(options) == 0) then
    fail("schedule: %s needs steps_per_epoch, the updates of an epoch: steps_per_epoch = loader.batches",
      timeless[options.type] and "a warm-up" or options.type)
  end
  if steps ~= nil then arguments.integer("schedule: steps_per_epoch", steps, 1) end
end

-- The least value of options that are numbers, those of a warm-up too; pct_start has a largest one.
local least = { base_lr = 0, epochs = 0, T0 = 1, T_mul = 0, power = 0, lr_gamma = 0, div_factor = 1,
                final_div_factor = 1, lr_decay = 0, lr_min_factor = 0, threshold = 0 }
local least_of_warmup = { epochs = 0, start_factor = 0, exponent = 0 }

local function check_milestones(list)
  local fault = type(list) ~= "table" and arguments.described(list) or core.list_fault(list)
  if fault then fail("schedule: milestones: it takes a list of epochs: { 80, 120 }; this is %s", fault) end
  for i, milestone in ipairs(list) do arguments.number(("schedule: milestone %d"):format(i), milestone, 0) end
end

local function check(options, name_of)
  arguments.choice("schedule: type", options.type, arguments.names(types.segments))
  arguments.choice("schedule: warmup.type", options.warmup.type, { "none", "linear", "exponential" })
  arguments.choice("schedule: anneal", options.anneal, { "cos", "linear" })
  arguments.choice("schedule: mode", options.mode, { "min", "max" })
  for name, value in pairs(least) do arguments.number("schedule: " .. name, options[name], value) end
  for name, value in pairs(least_of_warmup) do
    arguments.number("schedule: warmup." .. name, options.warmup[name], value)
  end
  arguments.number("schedule: pct_start", options.pct_start, 0, 1)
  arguments.integer("schedule: restart_steps", options.restart_steps, 1)
  arguments.integer("schedule: patience", options.patience, 0)
  arguments.integer("schedule: cooldown", options.cooldown, 0)
  arguments.boolean("schedule: three_phase", options.three_phase)
  check_milestones(options.milestones)
  local problem = mismatch(options, name_of)
  if problem then fail("schedule: " .. problem) end
  check_steps(options)
end

-- The options of a warm-up, which means nothing without a type.
local function read_warmup(what, given)
  local warmup = arguments.options(what, given, warmup_defaults)
  if next(given) ~= nil and given.type == nil then
    fail('%s: the type is missing: type = "linear" or "exponential"', what)
  end
  return warmup
end

-- The segments of a schedule with their first and last update.
local function build(options)
  local segments = types.segments[options.type](options, options.epochs - warmup_length(options))
  local first = warmup_segment(options)
  if first then table.insert(segments, 1, first) end
  local at = 0
  for _, part in ipairs(segments) do
    part.start = at
    part.steps = part.length * (options.steps_per_epoch or 1)
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
  local t = step - part.start
  if not extrapolate then t = math.min(t, part.steps) end
  return part.factor(part.steps == 0 and 1 or t / part.steps, t)
end

-- icl.schedule { type =, base_lr =, epochs =, steps_per_epoch =, ... } -> a schedule; called with the number of
-- updates done so far (0 before the first) it returns the rate of the next one.
--
-- Types: constant, linear, cosine, polynomial, exponential, multistep, sgdr, cosine_restarts, one_cycle, plateau.
-- Options and defaults are those of the table at the top of this file; steps_per_epoch is needed where the rate depends
-- on the update. warmup = { type = "linear" | "exponential" | "none", epochs = 0, start_factor = 1e-3, exponent = 4 }
-- comes off `epochs`. After the last epoch the rate stays what it was there. `as_published = true` keeps three habits
-- of the published code that figures were made with: the exponential warm-up is multiplied by base_lr once more, a
-- warm-up of type "none" with epochs above 0 still shortens the schedule, and beyond its end the last segment's formula
-- goes on (a cosine rises again).
--
-- A plateau is told a figure after each epoch, as icl.fit does: schedule:report(run.average.loss). Where it was no
-- better `patience` + 1 times in a row the rate falls. In the body of a loop over epochs it is the last statement: a
-- run that is stopped before the body ends begins it anew, without the loops that were done, and would report twice.
--
-- Options may be changed later: schedule.base_lr = 0.05. schedule:settings() -> those that were, and what a plateau
-- knows; schedule:settings(changed) changes them again, as a run does that goes on.
local function new(given, name_of)
  local options = arguments.options("icl.schedule", given, defaults, { "steps_per_epoch" })
  options.warmup = read_warmup("icl.schedule: warmup", options.warmup)
  check(options, name_of)
  local segments, changed, schedule, known = build(options), {}, {}, plateau.new()
  local function change(_, name, value)
    local wanted = arguments.options("schedule", { [name] = value }, options, { "steps_per_epoch" })
    wanted.warmup = read_warmup("schedule: warmup", wanted.warmup)
    check(wanted, own_name)
    options, segments, changed[name] = wanted, build(wanted), value
  end
  -- schedule.factor(step) -> what base_lr is multiplied with.
  function schedule.factor(step)
    if type(step) ~= "number" then
      fail("schedule: it takes the number of updates done so far, schedule(run.step), not %s", arguments.described(step))
    end
    return factor_at(segments, step, options.as_published) * known.factor
  end
  -- schedule:report(value): a figure for a plateau, a number or a tensor of one element, behind each epoch.
  function schedule.report(_, value)
    if options.type ~= "plateau" then fail("schedule: report: %s asks for no figures; plateau does", options.type) end
    if type(value) == "userdata" then value = value:item() end
    if type(value) ~= "number" then
      fail("schedule: report: the figure is %s; it must be a number", arguments.described(value))
    end
    plateau.report(known, value, options)
  end
  -- schedule:settings([changed]) -> the options that were changed, and what a plateau knows.
  function schedule.settings(_, again)
    for name, value in pairs(again or {}) do
      if name == "known" then known = value else change(nil, name, value) end
    end
    local result = options.type == "plateau" and { known = known } or {}
    for name, value in pairs(changed) do result[name] = value end
    return result
  end
  local function title()
    return numbers.format("schedule %s, base_lr %g, %g epochs", options.type, options.base_lr, options.epochs)
  end
  return setmetatable(schedule, {
    __index = function(_, name) return options[name] end,
    __newindex = change,
    __call = function(_, step) return options.base_lr * schedule.factor(step) end,
    __tostring = function()
      if options.epochs == 0 then return title() end
      local steps = options.steps_per_epoch or 1
      local lines = picture(title(), options.epochs, function(epoch) return schedule(epoch * steps) end)
      return table.concat(lines, "\n")
    end,
  })
end

-- By the figure that a plateau of icl.fit looks at, which one is better.
local modes = { loss = "min", top1 = "max" }

-- The options of a schedule by those of icl.options.training.
local function settings_of(o)
  return {
    type = o.schedule, base_lr = o.base_lr, epochs = o.epochs, milestones = o.milestones, lr_decay = o.lr_decay,
    lr_min_factor = o.lr_min_factor, T0 = o.T0, T_mul = o.T_mul, as_published = o.as_published,
    warmup = { type = o.warmup, epochs = o.warmup_epochs, start_factor = o.warmup_start_factor,
               exponent = o.warmup_exponent },
    restart_steps = o.restart_steps, power = o.lr_power, lr_gamma = o.lr_gamma, pct_start = o.one_cycle_pct_start,
    div_factor = o.one_cycle_div_factor, final_div_factor = o.one_cycle_final_div_factor,
    three_phase = o.one_cycle_three_phase, anneal = o.one_cycle_anneal,
    mode = o.plateau_figure and modes[o.plateau_figure], patience = o.plateau_patience,
    threshold = o.plateau_threshold, cooldown = o.plateau_cooldown,
  }
end

-- icl.schedule.types: the names of all types.
local schedule = { types = arguments.names(types.segments) }

-- icl.schedule.from_options(options, steps_per_epoch) -> the schedule that options such as those of
-- icl.options.training ask for.
function schedule.from_options(options, steps_per_epoch)
  arguments.typed("icl.schedule.from_options: options", options, "table", "a table of options")
  local settings = settings_of(options)
  settings.steps_per_epoch = steps_per_epoch
  return new(settings, name_in_training)
end

-- What does not go together in such options; nil if all does.
function schedule.problem(options)
  return mismatch(settings_of(options), name_in_training)
end

return setmetatable(schedule, {
  __call = function(_, given) return new(given, own_name) end,
  __index = function(self, name)
    if types.segments[name] then fail('icl.schedule: the types are options: icl.schedule { type = "%s" }', name) end
    strict.absent(self, "icl.schedule", name)
  end,
})
