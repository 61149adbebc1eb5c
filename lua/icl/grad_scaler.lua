-- grad_scaler.lua: dynamic loss scaling, which trainings with f16 need (Micikevicius et al. 2018).
--
-- Gradients that are too small for f16 are lost where an activation stores them. So they are computed of the loss times
-- a scale, as large as f16 bears, and divided by it where they reach the parameters, before anything looks at them.
-- Where one of them is not finite all the same, the update is as if it had not been, and the scale is halved; behind
-- many clean updates it is doubled. All that happens in the step: nothing is read by the host.
local arguments = require "icl.internal.arguments"
local core = require "icl.core"
local fail = require "icl.internal.fail"
local groups = require "icl.optim.groups"
local saved = require "icl.optim.saved"
local settings = require "icl.optim.settings"
local squares = require "icl.optim.squares"
local states_of = require "icl.internal.states_of"

local ops = core.ops
local what = "icl.grad_scaler"

-- f32 has numbers of full precision between these; the scale stays there.
local smallest, largest = 2.0 ^ -126, 2.0 ^ 127

local function check(name, o)
  if o.init_scale < smallest or o.init_scale > largest then
    fail("%s: init_scale is %s; it must be from 2^-126 to 2^127", name, o.init_scale)
  end
  if o.growth_factor < 1 then fail("%s: growth_factor is %s; it must be at least 1", name, o.growth_factor) end
  if o.backoff_factor <= 0 or o.backoff_factor > 1 then
    fail("%s: backoff_factor is %s; it must be above 0 and at most 1", name, o.backoff_factor)
  end
  arguments.integer(name .. ": growth_interval", o.growth_interval, 1)
end

local rule = {
  defaults = { init_scale = 2.0 ^ 16, growth_factor = 2, backoff_factor = 0.5, growth_interval = 2000, enabled = true },
  check = check, settled = { init_scale = true, enabled = true },
}

local Scaler = saved {}

-- What is written in another way than for PyTorch's.
local instead = {
  scale = "scaler:backward(loss) is scaler:scale(loss):backward(), and scaler.loss_scale the scale",
  unscale_ = "gradients are those of the loss at any time",
  update = "scaler:step(optimizer, lr) does it",
  get_scale = "scaler.loss_scale is the scale",
}

setmetatable(Scaler, { __index = function(_, name)
  if instead[name] then fail("%s: there is no %s; %s", what, name, instead[name]) end
end })

-- scaler:backward(loss): in place of loss:backward(). Gradients are those of the loss, whatever the scale.
function Scaler:backward(loss, ...)
  arguments.no_more(what .. ": backward", "a loss", ...)
  arguments.tensor(what .. ": backward", loss)
  loss:backward(self.options.enabled and self.loss_scale or nil)
end

-- The states that updates of an optimizer write: of its parameters those that are trained now, and all of its own. One
-- that the step makes begins as if the step had not been.
local function written_by(optimizer)
  local list = states_of(optimizer)
  groups.each(optimizer.groups, function(_, state) list[#list + 1] = state end)
  return list
end

-- The gradients that the parameters have now.
local function gradients_of(optimizer)
  local list = {}
  groups.each(optimizer.groups, function(_, state) list[#list + 1] = state.grad end)
  return list
end

local function call(f)
  if f then return f() end
end

-- Calls optimizer:step(lr, f), and `look` with what f returns whenever f has left gradients; -> what step() returns, in
-- a table.
local function run_step(optimizer, lr, f, look)
  if f and optimizer.takes_function then
    return table.pack(optimizer:step(lr, function() return look(f()) end))
  end
  local results = table.pack(look(call(f)))
  optimizer:step(lr)
  return results
end

-- The same; and the sum of the squares of all gradients that there were before `change` was called, nil of none.
local function run_watched_step(optimizer, lr, f, change)
  local total
  local function look(...)
    local one = squares(gradients_of(optimizer))
    total = total and one and total + one or total or one
    call(change)
    return ...
  end
  return run_step(optimizer, lr, f, look), total
end

-- The scale of the next step.
local function adjust(self, overflowed)
  local o = self.options
  local clean = ops.where(overflowed, 0, self.clean_steps + 1)
  local is_due = clean:ge(o.growth_interval)
  local factor = ops.where(overflowed, o.backoff_factor, ops.where(is_due, o.growth_factor, 1))
  self.loss_scale:write((self.loss_scale * factor):clamp(smallest, largest))
  self.clean_steps:write(ops.where(is_due, 0, clean))
end

local function check_optimizer(optimizer)
  if type(optimizer) ~= "table" or not (optimizer.step and optimizer.groups and optimizer.named_states) then
    fail("%s: step: it takes an optimizer, icl.optim.sgd(model) for instance, not %s", what,
      arguments.described(optimizer))
  end
end

-- A step of which nothing remains where gradients are not finite; -> what it returns, in a table.
local function guarded_step(self, optimizer, lr, f, change)
  check_optimizer(optimizer)
  local states, before = written_by(optimizer), {}
  for i, state in ipairs(states) do before[i] = state:read() end
  local results, total = run_watched_step(optimizer, lr, f, change)
  if total then
    local overflowed = ops.logical_not((total - total):eq(0))
    for i, state in ipairs(states) do state:write(before[i], overflowed) end
    adjust(self, overflowed)
  end
  return results
end

-- scaler:step(optimizer, lr [, f [, change]]) -> what f() returns: optimizer:step(lr, f), and the scale of the next
-- step. f, which leaves the gradients, is only needed where the optimizer takes several passes (icl.optim.sam). Where
-- one of the gradients is infinite or NaN, or all of them together too large for the norm to be one, parameters and
-- states of the optimizer stay as they are. change() is called behind that look at the gradients and may put others in
-- their place, w.grad = w.grad:clamp(-1, 1); where that is done before, it may hide those that are not finite.
function Scaler:step(optimizer, lr, f, change, ...)
  arguments.no_more(what .. ": step", "an optimizer, a rate and two functions", ...)
  if f ~= nil then arguments.typed(what .. ": step", f, "function", "a function that leaves gradients") end
  if change ~= nil then arguments.typed(what .. ": step", change, "function", "a function that changes gradients") end
  local results
  if self.options.enabled then
    results = guarded_step(self, optimizer, lr, f, change)
  else
    results = run_step(optimizer, lr, f, function(...)
      call(change)
      return ...
    end)
  end
  return table.unpack(results, 1, results.n)
end

-- scaler:named_states() -> list of { name =, state =, module =, key = }: the scale and the clean updates since it
-- changed; of one that is not enabled none.
function Scaler:named_states()
  if not self.options.enabled then return {} end
  local list = {}
  for i, key in ipairs { "loss_scale", "clean_steps" } do
    list[i] = { name = key, state = self[key], module = self, key = key }
  end
  return list
end

-- scaler:settings() -> the options that were changed since it was made, as a run keeps them; scaler:settings(changed)
-- changes them again.
function Scaler:settings(again)
  for name, value in pairs(again and again.options or {}) do self.options[name] = value end
  return { options = settings.changed(self.options) }
end

-- icl.grad_scaler { init_scale = 65536, growth_factor = 2, backoff_factor = 0.5, growth_interval = 2000, enabled =
-- true } -> what scales the loss in trainings with f16, as PyTorch's GradScaler does:
--
--   local scaler = icl.grad_scaler {}                            -- keep = { ..., scaler = scaler }
--   for batch in run:batches(loader) do
--     local loss = icl.loss.cross_entropy(model(batch.image), batch.target)
--     scaler:backward(loss)                                      -- several, for parts of a batch
--     scaler:step(optimizer, schedule(run.step))
--   end
--
-- Gradients are those of the loss, so clipping is that of the optimizer, and w.grad can be used as ever. A step whose
-- gradients are not finite changes neither the parameters nor the optimizer; the schedule goes on, and statistics of
-- batch norm take the batch in, as in PyTorch. There is no update(): step() does it. Optimizers that step one behind
-- the other may share a scaler or have one each. scaler.loss_scale:item() is the scale; options may be changed between
-- steps: scaler.options.growth_interval = 500. Without `enabled` it is loss:backward() and optimizer:step(), so that a
-- loop may be one for all precisions. icl.fit makes its own for --precision f16.
return function(given, ...)
  arguments.no_more(what, "a table of options", ...)
  if given ~= nil then arguments.typed(what, given, "table", "a table of options") end
  local self = setmetatable({ name = what, options = settings.new(what, rule, given) }, Scaler)
  if self.options.enabled then
    self.loss_scale = core.state(core.full({}, self.options.init_scale), { name = "loss_scale" })
    self.clean_steps = core.state(core.full({}, 0, "f64"), { name = "clean_steps", dtype = "f64" })
  end
  return self
end
