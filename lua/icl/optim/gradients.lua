-- optim/gradients.lua: gradients as optimizers get them: clipped, and divided.
local fail = require "icl.internal.fail"
local groups = require "icl.optim.groups"
local squares = require "icl.optim.squares"

-- min(1, limit / (norm + 1e-6)) for the norm of all gradients together; one element.
local function clip_scale(gradients, limit)
  return (limit / (squares(gradients):sqrt() + 1e-6)):minimum(1)
end

local SHOWN = 5  -- names in the notice

-- Says once for each optimizer, and for those that it wraps, which parameters a step did not use.
local function tell(optimizer, names)
  if optimizer.told_unused then return end
  local at = optimizer
  while at do
    at.told_unused = true
    at = at.base
  end
  local rest = #names > SHOWN and (" and %d others"):format(#names - SHOWN) or ""
  warn(("%s: no gradient for %s%s: parameters that a step does not use stay as they are in it. This is said once; "
    .. "freeze what is never used"):format(optimizer.name, table.concat(names, ", ", 1, math.min(#names, SHOWN)), rest))
end

-- gradients_of(optimizer, options) -> the gradients of its trained parameters, by state. One without a gradient was
-- left out of this step, which is told once; that none has one is an error. gradient_clip (0: none) limits the norm of
-- all of them together; they are divided by `divide` afterwards.
local function gradients_of(optimizer, options)
  local states, gradients, unused = {}, {}, {}
  groups.each(optimizer.groups, function(name, state)
    local gradient = state.grad
    if not gradient then
      unused[#unused + 1] = name
      return
    end
    states[#states + 1], gradients[#gradients + 1] = state, gradient
  end)
  if #unused > 0 and #states == 0 then
    fail("%s: parameter %s has no gradient, nor has any other; call loss:backward() in this step", optimizer.name,
      unused[1])
  elseif #unused > 0 then
    tell(optimizer, unused)
  end
  local scale = options.gradient_clip > 0 and #gradients > 0 and clip_scale(gradients, options.gradient_clip)
  local by_state = {}
  for i, state in ipairs(states) do
    local gradient = gradients[i]
    if scale then gradient = gradient * scale end
    if options.divide ~= 1 then gradient = gradient / options.divide end
    by_state[state] = gradient
  end
  return by_state
end

return gradients_of
