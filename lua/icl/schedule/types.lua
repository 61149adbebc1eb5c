-- schedule/types.lua: the types of schedules as segments.
local types = {}

-- types.segment(length, factor) -> a segment of `length` epochs; its factor as a function of x = t / T in [0, 1], and
-- of t, the updates since it began.
function types.segment(length, factor)
  return { length = length, factor = factor }
end

local segment = types.segment

-- From `first` to `last` as half a wave of the cosine.
local function cosine_curve(last, first)
  first = first or 1
  return function(x) return last + (first - last) * 0.5 * (1 + math.cos(math.pi * x)) end
end

local function line(first, last)
  return function(x) return first + (last - first) * x end
end

local function constant_curve(value)
  return function() return value end
end

-- By name, the segments that fill `length` epochs, of which each has options.steps_per_epoch updates.
local segments = {}
types.segments = segments

function segments.constant(_, length)
  return { segment(length, constant_curve(1)) }
end

-- What figures do to it comes on top: plateau.lua.
segments.plateau = segments.constant

function segments.linear(options, length)
  return { segment(length, line(1, options.lr_min_factor)) }
end

-- Loshchilov and Hutter 2017, one cycle.
function segments.cosine(options, length)
  return { segment(length, cosine_curve(options.lr_min_factor)) }
end

-- Chen et al. 2018 (DeepLab), with 0 as lr_min_factor PyTorch's PolynomialLR.
function segments.polynomial(options, length)
  local minimum, power = options.lr_min_factor, options.power
  return { segment(length, function(x) return minimum + (1 - minimum) * math.max(1 - x, 0) ^ power end) }
end

-- Where an epoch begins, PyTorch's ExponentialLR; in between it falls as evenly.
function segments.exponential(options, length)
  local decay, steps = options.lr_gamma, options.steps_per_epoch
  return { segment(length, function(_, t) return decay ^ (t / steps) end) }
end

-- What comes behind the end never happens.
function segments.multistep(options, length)
  local list, previous = {}, 0
  for k, milestone in ipairs(options.milestones) do
    if milestone > length then break end
    list[k] = segment(milestone - previous, constant_curve(options.lr_decay ^ (k - 1)))
    previous = milestone
  end
  local drops = #list
  list[drops + 1] = segment(length - previous, constant_curve(options.lr_decay ^ drops))
  return list
end

-- types.cycles(options, length) -> the lengths of cycles of T0, T0 T_mul, T0 T_mul^2, ... epochs, rounded down, that
-- fill a length, and their sum.
function types.cycles(options, length)
  local list, total, cycle = {}, 0, options.T0
  while total < length and cycle >= 1 do
    list[#list + 1] = cycle
    total = total + cycle
    cycle = math.floor(cycle * options.T_mul)
  end
  return list, total
end

-- Warm restarts (Loshchilov and Hutter 2017): a cosine in each cycle.
function segments.sgdr(options, length)
  local list = {}
  for k, cycle in ipairs((types.cycles(options, length))) do
    list[k] = segment(cycle, cosine_curve(options.lr_min_factor))
  end
  return list
end

-- The same with cycles that are counted in updates, whether they fill the epochs or not; as PyTorch's
-- CosineAnnealingWarmRestarts with a step an update, a cycle begins with the whole rate.
function segments.cosine_restarts(options, length)
  local curve, growth = cosine_curve(options.lr_min_factor), options.T_mul
  return { segment(length, function(_, t)
    local cycle = options.restart_steps
    if growth == 1 then return curve(t % cycle / cycle) end
    while t >= cycle do
      t, cycle = t - cycle, cycle * growth
    end
    return curve(t / cycle)
  end) }
end

-- Smith and Topin 2019 as PyTorch's OneCycleLR has it, whose last update has the last rate: the phases together are an
-- update shorter than the epochs. A phase that would take less than an update ends before it begins, so that the first
-- rate is one of the next.
function segments.one_cycle(options, length)
  local first, one = 1 / options.div_factor, 1 / options.steps_per_epoch
  local last = first / options.final_div_factor
  local curve = options.anneal == "linear" and line or function(from, to) return cosine_curve(to, from) end
  local rise = options.pct_start * length - one
  local list, fall = { segment(rise, curve(first, 1)) }, length - one - rise
  if options.three_phase then
    list[2], fall = segment(rise, curve(1, first)), fall - rise
  end
  list[#list + 1] = segment(fall, curve(options.three_phase and first or 1, last))
  return list
end

return types
