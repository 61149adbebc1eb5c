-- schedule/plateau.lua: a factor of the rate that falls where a figure does not get better, as PyTorch's
-- ReduceLROnPlateau (threshold_mode "rel").
local plateau = {}

-- plateau.new() -> what is known before the first figure: numbers, as checkpoints keep them. bad: figures in a row that
-- were no better than the best; rest: figures that do not count yet; factor: of the rate.
function plateau.new()
  return { bad = 0, rest = 0, factor = 1 }
end

local function is_better(value, best, options)
  if value - value ~= 0 then return false end  -- NaN, or infinite
  if best == nil then return true end
  if options.mode == "max" then return value > best * (1 + options.threshold) end
  return value < best * (1 - options.threshold)
end

-- plateau.report(state, value, options): takes in a figure; by the options of a schedule.
function plateau.report(state, value, options)
  state.bad = state.bad + 1
  if is_better(value, state.best, options) then state.best, state.bad = value, 0 end
  if state.rest > 0 then state.rest, state.bad = state.rest - 1, 0 end
  if state.bad <= options.patience then return end
  state.factor = math.max(state.factor * options.lr_decay, options.lr_min_factor)
  state.rest, state.bad = options.cooldown, 0
end

return plateau
