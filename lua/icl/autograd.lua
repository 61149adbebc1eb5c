-- autograd.lua: functions with a gradient of one's own.
--
--   local shake = icl.autograd.define {
--     forward  = function(ctx, a, b, alpha, beta) ctx.beta = beta; return a * alpha + b * (1 - alpha) end,
--     backward = function(ctx, g) return g * ctx.beta, g * (1 - ctx.beta) end,
--   }
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local core = require "icl.core"

local autograd = {}

local no_grad = setmetatable({}, { __close = function() core.no_grad_end() end })

local function is_value(x)
  return type(x) == "userdata"
end

local function is_state(x)
  return getmetatable(x).__name == "icl.state"
end

-- The arguments with tensors and states cut off from their history, and the list of their places.
local function detach_all(given)
  local detached, places = { n = given.n }, {}
  for i = 1, given.n do
    local value = given[i]
    if is_value(value) then
      places[#places + 1] = i
      value = core.ops.detach(value)
    end
    detached[i] = value
  end
  return detached, places
end

-- What ctx keeps of the arguments is not cut off, so that a second derivative finds its way through it. States may be
-- written before the gradient is taken: of them it keeps the value of now.
local function attach_again(ctx, detached, given, places)
  for key, value in pairs(ctx) do
    for _, place in ipairs(places) do
      if rawequal(value, detached[place]) then
        local whole = given[place]
        ctx[key] = is_state(whole) and core.ops.reshape(whole, { shape = whole:shape() }) or whole
      end
    end
  end
end

local function run_forward(forward, ctx, given)
  core.no_grad_begin()
  local scope <close> = no_grad
  return table.pack(forward(ctx, table.unpack(given, 1, given.n)))
end

-- The gradients that `backward` returned, one for each tensor argument; an error where it ends before the last argument
-- that has one.
local function select_gradients(gradients, given, places)
  if gradients.n > given.n then
    fail("backward returned %d gradients for %d arguments", gradients.n, given.n)
  end
  local selected = {}
  for i, place in ipairs(places) do
    if place > gradients.n and core.needs_gradient(given[place]) then
      fail("backward returned %d gradients, and argument %d needs one, too: it returns one for each argument in order, "
        .. "nil where there is none", gradients.n, place)
    end
    selected[i] = gradients[place] or false
  end
  return selected
end

-- icl.autograd.define { forward =, backward = } -> a function.
-- forward(ctx, ...) gets the arguments as constants and returns one tensor; ctx is a table of this call. Arguments that
-- it keeps, ctx.x = x, are variables in backward, as what PyTorch saves is, so that second derivatives go through them;
-- what forward computed from them is constant there, and backward computes it anew where that matters.
-- backward(ctx, g) gets the gradient of that tensor and returns one gradient for each argument in order; nil for
-- numbers and for arguments without a gradient, which may be left out at the end where the argument depends on nothing
-- that has one. Both record ordinary ops.
function autograd.define(functions)
  functions = arguments.options("icl.autograd.define", functions, {}, { "forward", "backward" })
  local forward, backward = functions.forward, functions.backward
  if type(forward) ~= "function" or type(backward) ~= "function" then
    fail("icl.autograd.define: it takes a table with the functions forward and backward")
  end
  return function(...)
    local given, ctx = table.pack(...), {}
    local detached, places = detach_all(given)
    local results = run_forward(forward, ctx, detached)
    attach_again(ctx, detached, given, places)
    if results.n ~= 1 or not is_value(results[1]) then
      fail("icl.autograd.define: forward must return one tensor; it returned %d values, the first a %s", results.n,
        type(results[1]))
    end
    local inputs = {}
    for i, place in ipairs(places) do inputs[i] = given[place] end
    return core.custom(results[1], inputs, function(gradient)
      return table.unpack(select_gradients(table.pack(backward(ctx, gradient)), given, places), 1, #places)
    end)
  end
end

return autograd
