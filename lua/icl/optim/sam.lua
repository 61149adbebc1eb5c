-- optim/sam.lua: sharpness-aware minimization (Foret et al. 2021): the gradient that an optimizer is given is that of
-- the worst place nearby. In each step, g being the gradient at the parameters w,
--   e = rho g / |g|, the norm over all parameters;  the optimizer moves w with the gradient at w + e
-- With adaptive (Kwon et al. 2021) e = rho w^2 g / |w g|, element by element.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local gradients_of = require "icl.optim.gradients"
local groups = require "icl.optim.groups"
local saved = require "icl.optim.saved"
local settings = require "icl.optim.settings"
local squares = require "icl.optim.squares"
local wrapped = require "icl.optim.wrapped"

local rule = { defaults = { rho = 0.05, adaptive = false }, settled = {} }

local Sam = saved { takes_function = true }

local unchanged = { gradient_clip = 0, divide = 1 }

-- Moves the parameters by e; -> what they were before, by state.
local function climb(self)
  local gradients, before, measured = gradients_of(self, unchanged), {}, {}
  local o = self.options
  groups.each(self.groups, function(_, state)
    local w, g = state:read(), gradients[state]
    if not g then return end
    before[state] = w
    measured[#measured + 1] = o.adaptive and w:abs() * g or g
  end)
  local total = squares(measured)
  if not total then fail("%s: step: all parameters are frozen", self.name) end
  local scale = o.rho / (total:sqrt() + 1e-12)
  groups.each(self.groups, function(_, state)
    local w, g = before[state], gradients[state]
    if not g then return end
    state:write(w + (o.adaptive and w * w * g or g) * scale)
    state:clear_grad()
  end)
  return before
end

-- The values that the buffers of the model have now, by state.
local function buffers_of(self)
  local values = {}
  for _, state in ipairs(self.buffers) do values[state] = state:read() end
  return values
end

local function write_back(values)
  for state, value in pairs(values) do state:write(value) end
end

-- optimizer:step(lr, f) -> what f() returned at the parameters as they are. f computes the loss and leaves its
-- gradients; it is called twice, the second time at other parameters.
function Sam:step(lr, f)
  arguments.typed(self.name .. ": step", f, "function",
    "a rate and a function that computes the loss and calls loss:backward(), which it does twice")
  local results = table.pack(f())
  local before, buffers = climb(self), buffers_of(self)
  f()
  write_back(before)
  write_back(buffers)
  self.base:step(lr)
  return table.unpack(results, 1, results.n)
end

-- optimizer:named_states() -> those of the optimizer inside: this one has none of its own.
function Sam:named_states()
  return self.base:named_states()
end

Sam.settings, Sam.arrange_states, Sam.add_group = wrapped.settings, wrapped.arrange_states, wrapped.add_group

-- icl.optim.sam(optimizer [, { rho = 0.05, adaptive = false, model = }]) -> an optimizer whose steps take two passes:
--
--   local optimizer = icl.optim.sam(icl.optim.sgd(model), { rho = 0.05, model = model })
--   for batch in run:batches(loader) do
--     local loss = optimizer:step(schedule(run.step), function()
--       local loss = icl.loss.cross_entropy(model(batch.image), batch.target)
--       loss:backward()
--       return loss
--     end)
--     run:log { loss = loss }
--   end
--
-- model: a module whose buffers, such as the statistics of batch norm, take in the first pass alone. rho and adaptive
-- may be changed between steps: optimizer.options.rho = 0.1; the wrapped one is optimizer.base. icl.fit takes it as
-- its optimizer, and --sam-rho makes one.
return function(base, given, ...)
  arguments.no_more("icl.optim.sam", "an optimizer and a table of options", ...)
  local self, options = wrapped.new("icl.optim.sam", base), {}
  for name, value in pairs(given or {}) do options[name] = value end
  local model = options.model
  options.model = nil
  if model ~= nil and not (type(model) == "table" and model.named_parameters) then
    fail("icl.optim.sam: model is %s; it must be a module", arguments.described(model))
  end
  self.buffers = model and model:buffers() or {}
  self.options = settings.new("icl.optim.sam", rule, options)
  return setmetatable(self, Sam)
end
