-- ema.lua: averages, exponential or equal ones, of what a training changes from step to step.
local arguments = require "icl.internal.arguments"
local core = require "icl.core"
local dtypes = require "icl.internal.dtypes"
local fail = require "icl.internal.fail"
local nn = require "icl.nn.module"
local stand_ins = require "icl.internal.stand_ins"
local weights = require "icl.weights"

local Ema = {}
Ema.__index = Ema

-- How far averages go towards new values in an update that `count` others came before: a function of their dtype.
local function weight_of(self, count)
  if not self.warmup and not self.equal then return function() return 1 - self.decay end end
  local weight, by_dtype = 1 / (count + 1), {}
  if self.warmup then weight = 1 - ((count + 1) / (count + 10)):minimum(self.decay) end
  return function(dtype)
    by_dtype[dtype] = by_dtype[dtype] or weight:cast(dtype)
    return by_dtype[dtype]
  end
end

-- ema:update(): takes in the values that the model's states have now. To be called in each step behind the optimizer's,
-- or where equal averages are wanted, at the end of an epoch.
function Ema:update()
  if self.applied then fail "icl.ema: update: the model has the averages now; call it outside of ema:apply" end
  local count = self.count:read()
  local weight, is_first = weight_of(self, count), self.equal and count:eq(0)
  for _, entry in ipairs(self.entries) do
    local value, average = entry.state:read(), entry.average:read()
    if dtypes.floats[entry.state:dtype()] then
      average = average + (value - average) * weight(entry.state:dtype())
      if is_first then average = core.ops.where(is_first, value, average) end  -- to the last bit, and after NaN
    else
      average = value
    end
    entry.average:write(average)
  end
  self.count:write(count + 1)
end

-- Exchanges the values of the model with those that are kept for the entries, as far as some are.
local function exchange(self)
  for i, entry in ipairs(self.entries) do
    local kept = self.kept[i]
    if kept then
      self.kept[i] = entry.state:read()
      entry.state:write(kept)
    end
  end
end

-- ema:apply(f, ...) -> what f(...) returns; while f runs the model has the averages, and after it, or after an error in
-- it, the bytes it had before. Buffers that f changes, such as statistics of batch norm, are in the averages from then
-- on, unless it ends with an error; weights are not. Nothing is copied.
--
--   local result = ema:apply(icl.evaluate, model, test)
--   ema:apply(function() model:save "average.safetensors" end)
function Ema:apply(f, ...)
  arguments.typed("icl.ema: apply", f, "function", "a function")
  if core.in_step() then fail "icl.ema: apply: a step is open; call it outside of steps and of loops over batches" end
  if self.applied then fail "icl.ema: apply: the model has the averages already" end
  self.kept = {}
  local registered <close> = stand_ins.of(self)
  local back <close> = setmetatable({}, { __close = function()
    exchange(self)
    self.kept, self.applied = nil, false
  end })
  self.applied = true
  for i, entry in ipairs(self.entries) do
    self.kept[i] = entry.state:read()
    entry.state:write(entry.average:read())
  end
  local results = table.pack(f(...))
  for _, entry in ipairs(self.entries) do
    if not entry.is_parameter then entry.average:write(entry.state:read()) end
  end
  return table.unpack(results, 1, results.n)
end

-- ema:as_trained(f, ...) -> what f(...) returns; while f runs the model has its own values, within ema:apply too.
function Ema:as_trained(f, ...)
  if not self.applied then return f(...) end
  local back <close> = setmetatable({}, { __close = function()
    exchange(self)
    self.applied = true
  end })
  exchange(self)
  self.applied = false
  return f(...)
end

-- ema:named_states() -> list of { name =, state =, module =, key = }: the averages by the names of the model's states,
-- and n_averaged, how many updates there were.
function Ema:named_states()
  if self.applied then fail "icl.ema: the model has the averages now; save and load outside of ema:apply" end
  local list = { { name = "n_averaged", state = self.count, module = self, key = "n_averaged" } }
  for _, entry in ipairs(self.entries) do
    list[#list + 1] = { name = entry.name, state = entry.average, module = entry.module, key = entry.key }
  end
  return list
end

-- ema:state_dict() -> list of { name =, tensor = }
function Ema:state_dict()
  return weights.state_dict(self)
end

-- ema:load_state_dict(list [, { strict = true }]): such a list; names and shapes must agree unless strict is false.
function Ema:load_state_dict(list, options)
  options = arguments.options("icl.ema", options, { strict = true })
  options.target = "icl.ema"
  return weights.load_state_dict(self, list, options)
end

-- icl.ema(model [, { decay = 0.999, warmup = false, equal = false }]) -> averages of a model's states, which begin as
-- the values that these have now:
--
--   local ema = icl.ema(model, { decay = 0.999 })
--   ... optimizer:step(rate); ema:update()                     -- in each step
--   local result = ema:apply(icl.evaluate, model, test)        -- outside of steps
--
-- In each update an average moves by 1 - decay of the way to the value of its state. So do those of buffers, such as
-- the statistics of batch norm; integers are copied. (PyTorch: AveragedModel with use_buffers, timm: ModelEmaV2.) With
-- warmup the decay is at most (1 + t) / (10 + t) behind t updates, so that first weights are soon forgotten.
--
-- With equal = true all updates count the same, and what was there before them does not: stochastic weight averaging
-- (Izmailov et al. 2018; PyTorch: AveragedModel as it is by default). The statistics of batch norm are those of the
-- weights that were averaged; a pass over training batches within ema:apply, in training mode, makes them its own.
local function new(model, given, ...)
  arguments.no_more("icl.ema", "a model and a table of options", ...)
  local options = arguments.options("icl.ema", given, { decay = 0.999, warmup = false, equal = false })
  if not nn.is(model) then fail("icl.ema: it takes a module, not %s", arguments.described(model)) end
  if core.in_step() then fail "icl.ema: a step is open; make it before the loop" end
  local decay = arguments.number("icl.ema: decay", options.decay, 0)
  if decay >= 1 then fail("icl.ema: decay is %s; it must be less than 1, or the averages never move", decay) end
  local warmup = arguments.boolean("icl.ema: warmup", options.warmup)
  local equal = arguments.boolean("icl.ema: equal", options.equal)
  if equal and (warmup or given.decay ~= nil) then
    fail("icl.ema: equal averages have no %s", warmup and "warmup" or "decay")
  end
  local self = setmetatable({ decay = decay, warmup = warmup, equal = equal, entries = {}, applied = false }, Ema)
  local is_parameter = {}
  for _, entry in ipairs(model:named_parameters()) do is_parameter[entry.name] = true end
  for i, entry in ipairs(model:named_states()) do
    self.entries[i] = { name = entry.name, state = entry.state, module = entry.module, key = entry.key,
                        is_parameter = is_parameter[entry.name],
                        average = core.state(entry.state, { name = "ema." .. entry.name }) }
  end
  self.count = core.state(core.full({}, 0, "f64"), { name = "ema.n_averaged" })
  return self
end

return new
