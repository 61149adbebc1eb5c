-- export/ops.lua: our ops as nodes of ONNX. A writer gets the graph, a node of the description, its inputs and the
-- value that is its result, to be filled in: { name =, nchw = is it kept in ONNX's order of axes?, shape =, dtype = }.
local core = require "icl.core"
local types = require "icl.export.model".types

local ops = {}

local TO_NCHW = { 0, 2, 3, 1 }  -- where our axes 0 to 3 are in ONNX's order

-- ---- layouts ----

-- A constant in ONNX's order, to meet values of four axes.
local function constant_as_images(g, value)
  local shape = value.tensor:shape()
  if #shape == 0 then return g:plain(value) end
  while #shape < 4 do table.insert(shape, 1, 1) end
  local wide = core.ops.reshape(value.tensor, { shape = shape })
  return g:tensor(value.stem, core.ops.permute(wide, { dims = { 1, 4, 2, 3 } }))
end

-- Can a value meet others in ONNX's order?
local function can_be_images(value)
  return value.nchw or value.tensor ~= nil or value.number ~= nil or #value.shape == 4
end

-- Is a result of these inputs kept in ONNX's order?
local function are_images(inputs, result)
  if #result.shape ~= 4 then return false end
  local some = false
  for _, value in ipairs(inputs) do
    if not can_be_images(value) then return false end
    some = some or value.nchw
  end
  return some
end

local function cast(g, name, from, to)
  return from == to and name or g:node("Cast", { name }, { to = types[to] })
end

-- The name of an input of an elementwise op, in this order of axes and dtype.
local function operand(g, value, nchw, dtype)
  if value.number then return g:tensor("const", core.new_tensor(value.number, dtype, {})) end
  local name
  if not nchw then
    name = g:plain(value)
  else
    name = value.tensor and constant_as_images(g, value) or g:images(value)
  end
  return cast(g, name, value.dtype, dtype)
end

-- ---- elementwise ----

local one_name = {
  neg = "Neg", abs = "Abs", sign = "Sign", floor = "Floor", exp = "Exp", log = "Log", sqrt = "Sqrt", tanh = "Tanh",
  sigmoid = "Sigmoid", relu = "Relu", add = "Add", sub = "Sub", mul = "Mul", div = "Div", pow = "Pow", maximum = "Max",
  minimum = "Min", add_n = "Sum", round = "Round", erf = "Erf", softplus = "Softplus", hardswish = "HardSwish",
}
local tests = { eq = "Equal", ne = "Equal", lt = "Less", le = "LessOrEqual", gt = "Greater", ge = "GreaterOrEqual" }

for name, op in pairs(one_name) do
  ops[name] = function(g, _, inputs, result)
    result.nchw = are_images(inputs, result)
    local names = {}
    for i, value in ipairs(inputs) do names[i] = operand(g, value, result.nchw, result.dtype) end
    result.name = g:node(op, names)
  end
end

-- x, times a function of x that nodes of the graph make of its name.
local function times_x(factor)
  return function(g, _, inputs, result)
    result.nchw = are_images(inputs, result)
    local x = operand(g, inputs[1], result.nchw, result.dtype)
    local function number(value) return g:tensor("const", core.new_tensor(value, result.dtype, {})) end
    result.name = g:node("Mul", { x, factor(g, x, number) })
  end
end
ops.silu = times_x(function(g, x) return g:node("Sigmoid", { x }) end)
ops.gelu = times_x(function(g, x, number)
  local erf = g:node("Erf", { g:node("Mul", { x, number(math.sqrt(0.5)) }) })
  return g:node("Mul", { number(0.5), g:node("Add", { erf, number(1) }) })
end)

-- Ops whose second input is a number in ONNX.
local function with_alpha(op)
  return function(g, node, inputs, result)
    local alpha = inputs[2].number
    if not alpha then g:refuse(node, "takes a factor that is no number") end
    result.nchw = are_images({ inputs[1] }, result)
    result.name = g:node(op, { operand(g, inputs[1], result.nchw, result.dtype) }, { alpha = alpha + 0.0 })
  end
end
local leaky_relu = with_alpha "LeakyRelu"
-- Factors of the channels, which are learned, are an input.
function ops.leaky_relu(g, node, inputs, result)
  if inputs[2].number then return leaky_relu(g, node, inputs, result) end
  result.nchw = are_images(inputs, result)
  local names = {}
  for i, value in ipairs(inputs) do names[i] = operand(g, value, result.nchw, result.dtype) end
  result.name = g:node("PRelu", names)
end
ops.elu = with_alpha "Elu"

-- The dtype in which values are compared: that of the first which is no number, unless they differ.
local function compared(inputs)
  local dtype
  for _, value in ipairs(inputs) do
    if not value.number then dtype = dtype and dtype ~= value.dtype and "f64" or value.dtype end
  end
  return dtype or "f32"
end

for name, op in pairs(tests) do
  ops[name] = function(g, _, inputs, result)
    result.nchw = are_images(inputs, result)
    local dtype, names = compared(inputs), {}
    for i, value in ipairs(inputs) do names[i] = operand(g, value, result.nchw, dtype) end
    result.name = g:node(op, names)
    if name == "ne" then result.name = g:node("Not", { result.name }) end
  end
end

function ops.logical_not(g, _, inputs, result)
  result.nchw = are_images(inputs, result)
  result.name = g:node("Not", { operand(g, inputs[1], result.nchw, "bool") })
end

function ops.clamp(g, _, inputs, result)
  result.nchw = are_images(inputs, result)
  local names = {}
  for i, value in ipairs(inputs) do names[i] = operand(g, value, result.nchw, result.dtype) end
  result.name = g:node("Min", { g:node("Max", { names[1], names[2] }), names[3] })
end

function ops.where(g, _, inputs, result)
  result.nchw = are_images(inputs, result)
  local names = { operand(g, inputs[1], result.nchw, "bool") }
  for i = 2, 3 do names[i] = operand(g, inputs[i], result.nchw, result.dtype) end
  result.name = g:node("Where", names)
end

function ops.cast(g, _, inputs, result)
  result.nchw = inputs[1].nchw
  result.name = operand(g, inputs[1], result.nchw, result.dtype)
end

-- ---- layers ----

-- A weight (kh, kw, i, o) as (o, i, kh, kw).
local function conv_weight(g, value)
  if not value.tensor then return g:node("Transpose", { g:plain(value) }, { perm = { 3, 2, 0, 1 } }) end
  return g:tensor(value.stem, core.ops.permute(value.tensor, { dims = { 4, 3, 1, 2 } }))
end

local function pads(padding)
  return { padding[1], padding[2], padding[1], padding[2] }
end

-- Products of as many matrices as there are groups, which goes with the number of images: x (1, 1, m, groups k), w (1,
-- 1, k, groups n), as tensor/products.lua makes them. The groups of a Conv are fixed.
local function products(g, node, inputs, result)
  local a, x, w = node.attributes, inputs[1].shape, inputs[2].shape
  if w[1] * w[2] > 1 or x[1] * x[2] > 1 or a.padding[1] + a.padding[2] > 0 then
    g:refuse(node, "has groups that go with the number of images")
  end
  local k, n = w[3], result.shape[4] * w[3] // x[4]
  local function matrices(value, height, width)
    local apart = g:node("Reshape", { g:plain(value), g:integers { height, -1, width } })
    return g:node("Transpose", { apart }, { perm = { 1, 0, 2 } })
  end
  local product = g:node("MatMul", { matrices(inputs[1], x[3], k), matrices(inputs[2], k, n) })
  local turned = g:node("Transpose", { product }, { perm = { 1, 0, 2 } })
  result.name = g:node("Reshape", { turned, g:integers { 1, 1, x[3], -1 } })
end

function ops.conv2d(g, node, inputs, result)
  local a, w = node.attributes, inputs[2].shape
  if type(a.groups) == "table" then return products(g, node, inputs, result) end
  result.nchw = true
  result.name = g:node("Conv", { g:images(inputs[1]), conv_weight(g, inputs[2]) }, {
    strides = a.stride, pads = pads(a.padding), group = a.groups, kernel_shape = { w[1], w[2] }, dilations = { 1, 1 },
  })
end

function ops.conv2d_input_grad(g, node, inputs, result)
  local a, x, w, rest = node.attributes, inputs[1].shape, inputs[2].shape, {}
  if type(a.groups) == "table" then g:refuse(node, "has groups that go with the number of images") end
  for i = 1, 2 do rest[i] = a.size[i] - (x[i + 1] - 1) * a.stride[i] + 2 * a.padding[i] - w[i] end
  result.nchw = true
  result.name = g:node("ConvTranspose", { g:images(inputs[1]), conv_weight(g, inputs[2]) }, {
    strides = a.stride, pads = pads(a.padding), group = a.groups, kernel_shape = { w[1], w[2] }, dilations = { 1, 1 },
    output_padding = rest,
  })
end

-- It is written where it is used.
function ops.bn_inference(_, node, inputs, result)
  result.norm = { inputs = inputs, eps = node.attributes.eps }
end

function ops.scale_shift(g, node, inputs, result)
  local x, norm = inputs[1], inputs[2].norm
  local rank = #x.shape
  if not norm then g:refuse(node, "takes what is no batch norm in evaluation") end
  if rank ~= 2 and rank ~= 4 then g:refuse(node, "normalises neither (n, c) nor (n, h, w, c)") end
  local names = { rank == 4 and g:images(x) or g:plain(x) }
  for _, value in ipairs(norm.inputs) do names[#names + 1] = operand(g, value, false, x.dtype) end
  result.nchw = rank == 4
  result.name = g:node("BatchNormalization", names, { epsilon = norm.eps + 0.0 })
  if node.attributes.relu then result.name = g:node("Relu", { result.name }) end
end

local function pool(op, extra)
  return function(g, node, inputs, result)
    local a = node.attributes
    result.nchw = true
    result.name = g:node(op, { g:images(inputs[1]) },
      { kernel_shape = a.kernel, strides = a.stride, pads = pads(a.padding), count_include_pad = extra })
  end
end
ops.max_pool2d = pool "MaxPool"
ops.avg_pool2d = pool("AveragePool", 1)

function ops.global_avg_pool(g, _, inputs, result)
  local mean = g:node("GlobalAveragePool", { g:images(inputs[1]) })
  result.name = cast(g, g:node("Flatten", { mean }, { axis = 1 }), inputs[1].dtype, result.dtype)
end

function ops.matmul(g, node, inputs, result)
  local a, names = node.attributes, {}
  for i, value in ipairs(inputs) do names[i] = operand(g, value, false, result.dtype) end
  result.name = g:node("Gemm", names, { transA = a.transpose_a and 1 or 0, transB = a.transpose_b and 1 or 0 })
end

-- ---- reductions ----

local function flag(value)
  return value and 1 or 0
end

function ops.sum(g, node, inputs, result)
  local x = operand(g, inputs[1], false, result.dtype)
  local dims = node.attributes.dims
  result.name = #dims == 0 and x or g:node("ReduceSum", { x, g:integers(dims) },
    { keepdims = flag(node.attributes.keepdim) })
end

function ops.max(g, node, inputs, result)
  local dims, x = node.attributes.dims, g:plain(inputs[1])
  result.name = #dims == 0 and x or g:node("ReduceMax", { x },
    { axes = dims, keepdims = flag(node.attributes.keepdim) })
end

function ops.argmax(g, node, inputs, result)
  result.name = g:node("ArgMax", { g:plain(inputs[1]) }, { axis = node.attributes.dim, keepdims = 0 })
end

local function along_last(op)
  return function(g, _, inputs, result)
    result.name = g:node(op, { operand(g, inputs[1], false, result.dtype) }, { axis = -1 })
  end
end
ops.softmax = along_last "Softmax"
ops.log_softmax = along_last "LogSoftmax"

-- ---- shapes ----

-- The name of a list of sizes, of which some go with the number of images.
function ops.sizes(g, sizes)
  local fixed, parts = true, {}
  for _, size in ipairs(sizes) do fixed = fixed and type(size) ~= "table" end
  if fixed then return g:integers(sizes) end
  g.batch = g.batch or g:node("Slice", { g:node("Shape", { "images" }), g:integers { 0 }, g:integers { 1 } })
  for i, size in ipairs(sizes) do
    local whole = type(size) == "table"
    parts[i] = whole and size.batch > 1 and g:node("Mul", { g.batch, g:integers { size.batch } })
      or whole and g.batch or g:integers { size }
  end
  return g:node("Concat", parts, { axis = 0 })
end

-- The sizes of a reshape: one that goes with the number of images is found by itself.
local function open_sizes(g, sizes)
  local list, open = {}, 0
  for i, size in ipairs(sizes) do
    list[i] = type(size) == "table" and -1 or size
    if list[i] <= 0 then open = open + 1 end
  end
  return open <= 1 and g:integers(list) or ops.sizes(g, sizes)
end

function ops.reshape(g, node, inputs, result)
  local x, sizes = inputs[1], node.attributes.shape
  local from, to = x.shape, result.shape
  local name = x.nchw and from[2] == 1 and from[3] == 1 and x.name or g:plain(x)
  if #to == 4 and to[2] == 1 and to[3] == 1 then  -- one pixel lies in the same way in both orders
    result.nchw = true
    sizes = { sizes[1], sizes[4], 1, 1 }
  end
  result.name = g:node("Reshape", { name, open_sizes(g, sizes) }, { allowzero = 0 })
end

function ops.permute(g, node, inputs, result)
  local x, dims = inputs[1], node.attributes.dims
  local perm, same = {}, true
  for i, axis in ipairs(dims) do
    perm[i] = x.nchw and TO_NCHW[axis + 1] or axis
    same = same and perm[i] == i - 1
  end
  local name = x.nchw and x.name or g:plain(x)
  result.name = same and name or g:node("Transpose", { name }, { perm = perm })
end

-- An axis of ours in the order in which a result is kept.
local function axis_in(result, axis)
  return result.nchw and TO_NCHW[axis + 1] or axis
end

function ops.pad(g, node, inputs, result)
  local a, list = node.attributes, {}
  result.nchw = inputs[1].nchw
  local count = #a.low
  for i = 1, count do
    local at = axis_in(result, i - 1) + 1
    list[at], list[at + count] = a.low[i], a.high[i]
  end
  local value = g:tensor("const", core.new_tensor(a.value, result.dtype, {}))
  result.name = g:node("Pad", { operand(g, inputs[1], result.nchw, result.dtype), g:integers(list), value })
end

function ops.concat(g, node, inputs, result)
  result.nchw = are_images(inputs, result)
  for _, value in ipairs(inputs) do result.nchw = result.nchw and not value.tensor end
  local names = {}
  for i, value in ipairs(inputs) do names[i] = operand(g, value, result.nchw, result.dtype) end
  result.name = g:node("Concat", names, { axis = axis_in(result, node.attributes.dim) })
end

function ops.narrow(g, node, inputs, result)
  local a, first = node.attributes, inputs[2].tensor
  if not first or type(a.length) == "table" then g:refuse(node, "takes a part that is not fixed") end
  result.nchw = inputs[1].nchw
  local start = first:totable()
  start = type(start) == "table" and start[1] or start
  start = math.max(math.min(start, inputs[1].shape[a.dim + 1] - a.length), 0)
  result.name = g:node("Slice", { operand(g, inputs[1], result.nchw, result.dtype), g:integers { start },
    g:integers { start + a.length }, g:integers { axis_in(result, a.dim) } })
end

-- Every image from its right edge on, and of these those that are to be mirrored.
function ops.flip(g, _, inputs, result)
  result.nchw = inputs[1].nchw
  local x, last = operand(g, inputs[1], result.nchw, result.dtype), -1
  local mirrored = g:node("Slice", { x, g:integers { last }, g:integers { math.mininteger },
    g:integers { axis_in(result, 2) }, g:integers { -1 } })
  local which = g:node("Reshape", { operand(g, inputs[2], false, "bool"), g:integers { -1, 1, 1, 1 } })
  result.name = g:node("Where", { which, mirrored, x })
end

function ops.broadcast_to(g, node, inputs, result)
  result.name = g:node("Expand", { g:plain(inputs[1]), ops.sizes(g, node.attributes.shape) })
end

function ops.gather(g, _, inputs, result)
  result.name = g:node("Gather", { g:plain(inputs[1]), g:plain(inputs[2]) }, { axis = 0 })
end

-- ---- along an axis ----

function ops.cumsum(g, node, inputs, result)
  local axis = g:tensor("const", core.new_tensor(node.attributes.dim, "i64", {}))
  result.name = g:node("CumSum", { operand(g, inputs[1], false, result.dtype), axis },
    { reverse = flag(node.attributes.reverse) })
end

-- TopK has no bytes, and takes the first of equals first, as we do.
function ops.argsort(g, node, inputs, result)
  local a, x = node.attributes, inputs[1]
  local narrow = x.dtype == "u8" or x.dtype == "bool"
  local count = ops.sizes(g, { result.shape[a.dim + 1] })
  result.name = g:node("TopK", { operand(g, x, false, narrow and "i32" or x.dtype), count },
    { axis = a.dim, largest = flag(a.descending), sorted = 1 }, 2)
end

function ops.gather_along(g, node, inputs, result)
  result.name = g:node("GatherElements", { g:plain(inputs[1]), g:plain(inputs[2]) }, { axis = node.attributes.dim })
end

return ops
