-- icl: training of image classifiers in Lua.
--
--   local icl = require "icl"
--
-- Ops are icl.ops.NAME(inputs..., { attribute = value }) and methods of their first input: x:relu(). Dimensions and
-- positions count from 1, negative ones from the end; labels and indices inside tensors count from 0. Outside a step
-- everything is evaluated at once; inside icl.step it is recorded and evaluated at the step's end. The other parts
-- (nn, models, optim, data, ...) are loaded when they are first used.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local parts = require "icl.tensor.parts"
require "icl.tensor"

local icl = {
  version = core.version,
  ops = core.ops,
  -- icl.concat(list [, dim]), icl.stack(list [, dim]): several tensors as one
  concat = parts.concat,
  stack = parts.stack,
  -- icl.grad(loss, { tensors }) -> their gradients; false where loss does not depend on one. Inside a step they may be
  -- anything that was recorded in it, such as batch.image; outside of one call t:requires_grad() before t is used.
  grad = core.grad,
  -- icl.configure { device =, threads =, shares =, eager =, profile =, check_nan =, precise =, deterministic =,
  -- precision = }: before the first tensor is made
  configure = core.configure,
  -- icl.statistics() -> steps, plans made, bytes, seconds
  statistics = core.statistics,
  -- icl.describe_plan() -> the plan of the last evaluation as text; icl.profile() -> times so far as text
  describe_plan = core.describe_plan,
  profile = core.profile,
}

-- icl.tensor(data [, { dtype =, shape = }]): a constant from a number, a nested table or a string of bytes.
function icl.tensor(data, options, ...)
  arguments.no_more("icl.tensor", "data and a table of options", ...)
  options = arguments.options("icl.tensor", options, {}, { "dtype", "shape" })
  return core.new_tensor(data, options.dtype, options.shape)
end

-- A tensor of one value, for the function of this name.
local function filled(name, shape, value, dtype)
  if dtype ~= nil then arguments.typed(name, dtype, "string", "the name of a dtype behind the shape") end
  return core.full(shape, value, dtype, name)
end

-- icl.full(shape, value [, dtype]): every element `value`; f32 unless a dtype is given.
function icl.full(shape, value, dtype, ...)
  arguments.no_more("icl.full", "a shape, a value and a dtype", ...)
  return filled("icl.full", shape, value, dtype)
end

-- icl.zeros(shape [, dtype]): every element 0; f32 unless a dtype is given.
function icl.zeros(shape, dtype, ...)
  arguments.no_more("icl.zeros", "a shape and a dtype", ...)
  return filled("icl.zeros", shape, 0, dtype)
end

-- icl.ones(shape [, dtype]): every element 1; f32 unless a dtype is given.
function icl.ones(shape, dtype, ...)
  arguments.no_more("icl.ones", "a shape and a dtype", ...)
  return filled("icl.ones", shape, 1, dtype)
end

-- icl.arange(n [, dtype]): 0, 1, ..., n - 1; i64 unless a dtype is given.
function icl.arange(n, dtype, ...)
  arguments.no_more("icl.arange", "n and a dtype", ...)
  return core.arange(n, dtype)
end

-- icl.state(value [, { name =, trainable = false, dtype = }]): a variable that carries a value from step to step. Where
-- it is trained, s.grad is what backward() left in this step, or nil; s.grad = t puts another gradient in its place.
function icl.state(value, options, ...)
  arguments.no_more("icl.state", "a value and a table of options", ...)
  return core.state(value, options)
end

-- icl.no_grad(f, ...): calls f; nothing recorded in it needs a gradient. Returns what f returns.
local no_grad_scope = setmetatable({}, { __close = function() core.no_grad_end() end })
function icl.no_grad(f, ...)
  if type(f) ~= "function" then fail("icl.no_grad: it takes a function, not %s", arguments.described(f)) end
  core.no_grad_begin()
  local scope <close> = no_grad_scope
  return f(...)
end

return require "icl.internal.lazy"(icl, "icl", {
  "augment", "autograd", "data", "distributed", "ema", "evaluate", "fit", "grad_scaler", "gradcheck", "image", "json",
  "loss", "metrics", "models", "network", "nn", "optim", "options", "random", "rerun", "run", "runs", "schedule", "show",
  "sinks", "step", "weights",
})
