-- tensor/functions.lua: functions of elements and rows that are made of ops, as methods of tensors.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local dtypes = require "icl.internal.dtypes"
local elsewhere = require "icl.internal.elsewhere"
local fail = require "icl.internal.fail"
local given = require "icl.tensor.given"
local products = require "icl.tensor.products"
local methods, ops = core.tensor_methods, core.ops

-- t:cast(dtype), or t:to(dtype): itself if it has that dtype.
function methods.cast(x, dtype, ...)
  elsewhere.check_dtype(dtype)
  arguments.no_more("cast", "a dtype", ...)
  if x:dtype() == dtype then return x end
  return ops.cast(x, { dtype = dtype })
end
methods.to = methods.cast

-- t:float(): cast to f32.
function methods.float(x)
  return methods.cast(x, "f32")
end

-- t:linear(w [, b]): x (..., in), w (in, out), b (out) -> (..., out), of a vector, too.
function methods.linear(x, w, b, ...)
  arguments.no_more("linear", "w and b", ...)
  arguments.tensor("linear: w", w)
  local shape, rank = x:shape(), x:rank()
  if rank == 1 then return methods.squeeze(methods.linear(methods.unsqueeze(x, 1), w, b), 1) end
  local flat = x
  if rank > 2 then
    local rows = 1
    for i = 1, rank - 1 do rows = rows * shape[i] end
    flat = ops.reshape(x, { shape = { rows, shape[rank] } })
  end
  local y = ops.matmul(flat, methods.cast(w, x:dtype()))
  if b then y = y + b end
  if rank <= 2 then return y end
  shape[rank] = y:size(2)
  return ops.reshape(y, { shape = shape })
end

-- The sizes (count, rows, columns) of matrices (..., rows, columns).
local function matrices(shape)
  local rank, count = #shape, 1
  for i = 1, rank - 2 do count = count * shape[i] end
  return count, shape[rank - 1], shape[rank]
end

-- t:bmm(b): products of as many matrices: t (..., m, k), b (..., k, n) -> (..., m, n); the axes in front must be the
-- same. A step computes it for all images at once.
function methods.bmm(a, b, ...)
  arguments.no_more("bmm", "matrices", ...)
  arguments.tensor("bmm: b", b)
  local left, right = a:shape(), b:shape()
  local rank, fits = #left, #left == #right and #left >= 3
  for i = 1, rank - 2 do fits = fits and left[i] == right[i] end
  if not fits or left[rank] ~= right[rank - 1] then
    fail("bmm: matrices (%s) and (%s) do not fit; they must be (..., m, k) and (..., k, n) with the same axes in front",
      table.concat(left, ", "), table.concat(right, ", "))
  end
  local count, m, k = matrices(left)
  local n = right[rank]
  local function turned(x, height, width)
    return ops.permute(ops.reshape(x, { shape = { count, height, width } }), { dims = { 2, 1, 3 } })
  end
  left[rank] = n
  local y = products(turned(a, m, k), turned(b, k, n))
  return ops.reshape(ops.permute(y, { dims = { 2, 1, 3 } }), { shape = left })
end

-- The sizes that the axes in front of two lists of matrices broadcast to, as NumPy does it; nil where they do not fit.
local function broadcast(left, right)
  local count, sizes = math.max(#left, #right) - 2, {}
  for i = 1, count do
    local a, b = left[#left - 2 - count + i] or 1, right[#right - 2 - count + i] or 1
    if a ~= b and a ~= 1 and b ~= 1 then return nil end
    sizes[i] = a == 1 and b or a
  end
  return sizes
end

-- x with these sizes in front of its matrices.
local function spread(x, sizes)
  local shape = table.move(sizes, 1, #sizes, 1, {})
  shape[#shape + 1], shape[#shape + 2] = x:size(-2), x:size(-1)
  return methods.expand(x, shape)
end

-- t:matmul(b): the matrix product (..., m, k) (..., k, n) -> (..., m, n), of as many as there are in front; the axes in
-- front broadcast, and a vector is a row on the left, a column on the right. Two matrices may be transposed first:
-- t:matmul(b, { transpose_a = true, transpose_b = true }).
function methods.matmul(a, b, options, ...)
  arguments.no_more("matmul", "a tensor and a table of options", ...)
  arguments.tensor("matmul: b", b)
  local row, column = a:rank() == 1, b:rank() == 1
  if options or (a:rank() == 2 and b:rank() == 2) then return ops.matmul(a, b, options or {}) end
  local left, right = a:shape(), b:shape()
  if row then a = methods.unsqueeze(a, 1) end
  if column then b = methods.unsqueeze(b, 2) end
  local sizes = a:rank() > 1 and b:rank() > 1 and a:size(-1) == b:size(-2) and broadcast(a:shape(), b:shape())
  if not sizes then
    fail("matmul: (%s) and (%s) do not fit; they must be (..., m, k) and (..., k, n), and what is in front must "
      .. "broadcast", table.concat(left, ", "), table.concat(right, ", "))
  end
  local y = b:rank() == 2 and methods.linear(a, b) or methods.bmm(spread(a, sizes), spread(b, sizes))
  if column then y = methods.squeeze(y, -1) end
  return row and methods.squeeze(y, column and -1 or -2) or y
end

-- ---- tests and choices ----

-- t:isnan(): bool, true where it is no number.
function methods.isnan(x, ...)
  arguments.no_more("isnan", "no arguments", ...)
  return ops.ne(x, x)
end

-- t:masked_fill(mask, value): `value` where the mask is not 0, else t; of t's dtype.
function methods.masked_fill(x, mask, value, ...)
  arguments.no_more("masked_fill", "a mask and a value", ...)
  arguments.tensor("masked_fill: the mask", mask)
  local fraction = math.type(value) == "float" and not math.tointeger(value)
  if not dtypes.floats[x:dtype()] and (fraction or type(value) == "userdata" and dtypes.floats[value:dtype()]) then
    fail("masked_fill: %s is no value of %s; cast the tensor first", arguments.described(value), x:dtype())
  end
  return methods.cast(ops.where(mask, value, x), x:dtype())
end

-- t:where(x, y): x where t is not 0, else y; numbers or tensors that broadcast.
function methods.where(condition, x, y, ...)
  arguments.no_more("where", "what is taken where the condition is true, and where it is false", ...)
  if condition:dtype() ~= "bool" and type(x) == "userdata" and x:dtype() == "bool" then
    fail("where: the condition comes first, condition:where(x, y), and here it is %s (%s) before bool (%s)",
      condition:dtype(), table.concat(condition:shape(), ", "), table.concat(x:shape(), ", "))
  end
  return ops.where(condition, x, y)
end

-- t:clamp([low [, high]]): x within [low, high], numbers or tensors; nil: no limit. Its gradient is 0 outside.
function methods.clamp(x, low, high, ...)
  arguments.no_more("clamp", "a lower and an upper limit", ...)
  if type(low) == "table" then fail "clamp: limits are two arguments, x:clamp(0, 1), not a table" end
  if type(low) == "number" and type(high) == "number" and low > high then
    fail("clamp: the lower limit %s is above the upper one, %s", low, high)
  end
  for _, limit in ipairs { low or 0, high or 0 } do
    if limit ~= limit then fail "clamp: a limit is nan; it must be a number or a tensor" end
  end
  if low == nil and high == nil then fail "clamp: it takes a lower limit, an upper one, or both" end
  if low == nil then return ops.minimum(x, high) end
  return high == nil and ops.maximum(x, low) or ops.clamp(x, low, high)
end

-- t:one_hot(classes): labels i64 of any shape, which count from 0 -> f32 (..., classes), 1 at the label, else 0; for
-- what a step computes and is no label, NaN.
function methods.one_hot(x, ...)
  local classes = given.by_name("one_hot", { "classes" }, ...).classes
  arguments.size("one_hot: classes", classes)
  if x:rank() == 1 then return ops.one_hot(x, { classes = classes }) end
  local shape = x:shape()
  shape[#shape + 1] = classes
  return ops.reshape(ops.one_hot(ops.reshape(x, { shape = { x:count() } }), { classes = classes }), { shape = shape })
end

-- ---- activations ----

-- t:gelu([approximate]): x P(z <= x) of a normal z; "tanh" takes PyTorch's approximation of it by tanh.
function methods.gelu(x, ...)
  local approximate = given.by_name("gelu", { "approximate" }, ...).approximate or "none"
  arguments.choice("gelu: approximate", approximate, { "none", "tanh" })
  if approximate == "none" then return ops.gelu(x) end
  return 0.5 * x * (1 + ops.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
end

-- t:leaky_relu([slope]): x where it is positive, else slope x; 0.01 unless given, and may be a tensor that is trained.
function methods.leaky_relu(x, slope, ...)
  arguments.no_more("leaky_relu", "a slope", ...)
  return ops.leaky_relu(x, slope or 0.01)
end

-- t:elu([alpha]): x where it is positive, else alpha (e^x - 1); 1 unless given.
function methods.elu(x, alpha, ...)
  arguments.no_more("elu", "alpha", ...)
  return ops.elu(x, alpha or 1)
end

-- An op over the last axis, over axis `dim` instead.
local function along(op, what, x, ...)
  local dim = given.by_name(what, { "dim" }, ...).dim
  local axis, rank = given.axis(what, dim or -1, x:rank()), x:rank()
  if axis == rank then return op(x) end
  return methods.transpose(op(methods.transpose(x, axis, rank)), axis, rank)
end

-- t:softmax([dim]): e^x divided by its sum along an axis, the last one unless given.
function methods.softmax(x, ...)
  return along(ops.softmax, "softmax", x, ...)
end

-- t:log_softmax([dim]): x - log sum e^x along an axis, the last one unless given.
function methods.log_softmax(x, ...)
  return along(ops.log_softmax, "log_softmax", x, ...)
end
