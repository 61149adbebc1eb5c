-- optim/gradients.lua: gradients as optimizers get them: clipped, and divided.
local fail = require "icl.internal.fail"
local groups = require "icl.optim.groups"
local squares = require "icl.optim.squares"

-- min(1, limit / (norm + 1e-6)) for the norm of all gradients together; one element.
local function clip_scale(gradients, limit)
  return (limit / (squares(gradients):sqrt() + 1e-6)):minimum(1)
end

-- gradients_of(what, list, options) -> the gradients of the trained parameters, by state. A parameter without one
-- is an error. gradient_clip (0: none) limits the norm of all of them together; they are divided by `divide`
-- afterwards.
local function gradients_of(what, list, options)
  local states, gradients = {}, {}
  groups.each(list, function(name, state)
    local gradient = state.grad
    if not gradient then
      fail("%s: parameter %s has no gradient; call loss:backward() in this step, or freeze what is not used",
        what, name)
    end
    states[#states + 1], gradients[#gradients + 1] = state, gradient
  end)
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
