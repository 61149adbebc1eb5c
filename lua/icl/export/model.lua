-- export/model.lua: an ONNX model as bytes (onnx.proto of ONNX 1.12: IR 8, opset 17).
local core = require "icl.core"
local protobuf = require "icl.internal.protobuf"
local bytes, integer, integers, float = protobuf.bytes, protobuf.integer, protobuf.integers, protobuf.float

local model = {}

local IR_VERSION, OPSET = 8, 17

-- TensorProto.DataType
local types = { f32 = 1, u8 = 2, i32 = 6, i64 = 7, bool = 9, f16 = 10, f64 = 11, bf16 = 16 }
model.types = types

local FLOAT, INT, STRING, INTS = 1, 2, 3, 7  -- AttributeProto.AttributeType

local function attribute(name, value)
  local head, kind = bytes(1, name), math.type(value)
  if kind == "integer" then return head .. integer(3, value) .. integer(20, INT) end
  if kind == "float" then return head .. float(2, value) .. integer(20, FLOAT) end
  if type(value) == "string" then return head .. bytes(4, value) .. integer(20, STRING) end
  return head .. integers(8, value) .. integer(20, INTS)
end

-- A node: { op =, inputs =, output =, place =, attributes = by name: integers, floats, texts, lists of integers }. The
-- output is the one at `place`, the first unless given; those before it are OUTPUT:1 and so on, which nothing reads.
local function node(entry)
  local parts, names = {}, {}
  for _, name in ipairs(entry.inputs) do parts[#parts + 1] = bytes(1, name) end
  for i = 1, (entry.place or 1) - 1 do parts[#parts + 1] = bytes(2, ("%s:%d"):format(entry.output, i)) end
  parts[#parts + 1] = bytes(2, entry.output) .. bytes(3, entry.output) .. bytes(4, entry.op)
  for name in pairs(entry.attributes or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do parts[#parts + 1] = bytes(5, attribute(name, entry.attributes[name])) end
  return table.concat(parts)
end

-- A tensor: { name =, dtype =, shape =, data = bytes }.
local function tensor(entry)
  return integers(1, entry.shape) .. integer(2, types[entry.dtype]) .. bytes(8, entry.name) .. bytes(9, entry.data)
end

-- An input or output: { name =, dtype =, shape = }; a size that is a text has that name.
local function value_info(entry)
  local sizes = {}
  for i, size in ipairs(entry.shape) do
    sizes[i] = bytes(1, type(size) == "string" and bytes(2, size) or integer(1, size))
  end
  local tensor_type = integer(1, types[entry.dtype]) .. bytes(2, table.concat(sizes))
  return bytes(1, entry.name) .. bytes(2, bytes(1, tensor_type))
end

local function concatenated(list, number, write)
  local parts = {}
  for i, entry in ipairs(list) do parts[i] = bytes(number, write(entry)) end
  return table.concat(parts)
end

-- model.bytes { name =, nodes =, tensors =, inputs =, outputs =, metadata = texts by name } -> the file.
function model.bytes(graph)
  local body = concatenated(graph.nodes, 1, node) .. bytes(2, graph.name) .. concatenated(graph.tensors, 5, tensor)
    .. concatenated(graph.inputs, 11, value_info) .. concatenated(graph.outputs, 12, value_info)
  local names, properties = {}, {}
  for name in pairs(graph.metadata) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do properties[i] = bytes(14, bytes(1, name) .. bytes(2, graph.metadata[name])) end
  return integer(1, IR_VERSION) .. bytes(2, "icl") .. bytes(3, core.version) .. bytes(7, body)
    .. bytes(8, bytes(1, "") .. integer(2, OPSET)) .. table.concat(properties)
end

return model
