-- gradcheck.lua: compares the gradients that are recorded with central differences, in f64.
local fail = require "icl.internal.fail"
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local places = require "icl.internal.places"

-- f(inputs...) as one number: its elements, weighted by numbers that have nothing to do with the function.
local function weighted(f, inputs)
  places.rewind()
  local y = f(table.unpack(inputs))
  if type(y) ~= "userdata" then fail("icl.gradcheck: the function must return a tensor, not a " .. type(y)) end
  local weights = {}
  for i = 1, y:count() do weights[i] = math.cos(1.7 * i) + 0.3 end
  return (y:cast "f64" * core.new_tensor(weights, "f64", y:shape())):sum()
end

-- A flat list of the elements of a tensor.
local function values_of(tensor)
  if tensor:rank() == 0 then return { tensor:item() } end
  return tensor:reshape(-1):totable()
end

-- The inputs of the function; it may ask for gradients itself.
local function constants(values, shapes)
  local inputs = {}
  for i, list in ipairs(values) do inputs[i] = core.new_tensor(list, "f64", shapes[i]):requires_grad() end
  return inputs
end

local function recorded_gradients(f, values, shapes)
  local inputs = constants(values, shapes)
  local gradients = core.grad(weighted(f, inputs), inputs)
  for i, list in ipairs(values) do
    if gradients[i] then
      gradients[i] = values_of(gradients[i])
    else
      gradients[i] = {}
      for k = 1, #list do gradients[i][k] = 0.0 end
    end
  end
  return gradients
end

local function central_difference(f, values, shapes, i, k, step)
  local list, at = values[i], values[i][k]
  list[k] = at + step
  local above = weighted(f, constants(values, shapes)):item()
  list[k] = at - step
  local below = weighted(f, constants(values, shapes)):item()
  list[k] = at
  return (above - below) / (2 * step)
end

-- icl.gradcheck(f, { tensors } [, { step = 1e-6, tolerance = 1e-6 }]) -> the largest error.
-- f takes the tensors, in f64, and returns one tensor; random draws are repeated for every call. The error of an
-- entry is |recorded - measured| / max(1, |recorded|, |measured|). One above the tolerance is an error that names the
-- worst entry.
local function gradcheck(f, inputs, options)
  options = arguments.options("icl.gradcheck", options, { step = 1e-6, tolerance = 1e-6 })
  if core.in_step() then fail("icl.gradcheck: it evaluates many times, so it does not work inside a step") end
  arguments.typed("icl.gradcheck", f, "function", "a function of tensors")
  arguments.typed("icl.gradcheck", inputs, "table", "a list of tensors")
  local values, shapes = {}, {}
  for i, input in ipairs(inputs) do arguments.tensor(("icl.gradcheck: input %d"):format(i), input) end
  for i, input in ipairs(inputs) do values[i], shapes[i] = values_of(input:cast "f64"), input:shape() end
  local recorded = recorded_gradients(f, values, shapes)
  local worst = { error = -1 }
  for i, list in ipairs(values) do
    for k = 1, #list do
      local measured = central_difference(f, values, shapes, i, k, options.step)
      local difference = math.abs(recorded[i][k] - measured) / math.max(1, math.abs(recorded[i][k]), math.abs(measured))
      if difference ~= difference then difference = math.huge end
      if difference > worst.error then
        worst = { error = difference, input = i, entry = k, recorded = recorded[i][k], measured = measured }
      end
    end
  end
  if worst.error > options.tolerance then
    fail("icl.gradcheck: input %d, entry %d: the recorded gradient is %.9g, central differences give %.9g (error %.3g, "
      .. "tolerance %.3g)", worst.input, worst.entry, worst.recorded, worst.measured, worst.error, options.tolerance)
  end
  return worst.error
end

return gradcheck
