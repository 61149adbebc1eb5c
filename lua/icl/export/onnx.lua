-- export/onnx.lua: a described network as an ONNX model.
--
-- Our images are (n, h, w, c), those of ONNX (n, c, h, w). A value of four axes is kept in the latter order where it
-- comes from images, and is turned back only for an op that needs ours, so that there is no Transpose in the networks
-- of the library. The number of images is the parameter "batch".
local core = require "icl.core"
local fail = require "icl.internal.fail"
local model = require "icl.export.model"
local ops = require "icl.export.ops"

local onnx = {}

local LARGEST = 2000000000  -- bytes: Protocol Buffers have no messages of 2 GB

local Graph = {}
Graph.__index = Graph

-- ---- what the writers of ops call ----

-- g:name(stem) -> a name that no other value has.
function Graph:name(stem)
  local name, number = stem, self.used[stem] or 1
  while self.used[name] do
    name, number = ("%s.%d"):format(stem, number), number + 1
  end
  self.used[stem] = number
  self.used[name] = self.used[name] or 1
  return name
end

-- g:node(op, inputs, attributes [, place]) -> the name of its result, of several the one at `place`. inputs: names.
function Graph:node(op, inputs, attributes, place)
  local stem = self.layer ~= "" and self.layer .. "." .. op or op
  local entry = { op = op, inputs = inputs, output = self:name(stem), place = place, attributes = attributes }
  self.nodes[#self.nodes + 1] = entry
  return entry.output
end

-- g:tensor(name, tensor) -> the name of a constant.
function Graph:tensor(name, tensor)
  local data = tensor:bytes()
  self.bytes = self.bytes + #data
  if self.bytes > LARGEST then
    fail "the weights have more than 2 GB, which an ONNX file cannot hold; use --safetensors"
  end
  local entry = { name = self:name(name), dtype = tensor:dtype(), shape = tensor:shape(), data = data }
  self.tensors[#self.tensors + 1] = entry
  return entry.name
end

-- g:integers(list) -> the name of a constant of i64.
function Graph:integers(list)
  return self:tensor("const", core.new_tensor(list, "i64", { #list }))
end

-- g:plain(value) -> the name of a value in our order of axes.
function Graph:plain(value)
  if value.tensor then
    value.named = value.named or self:tensor(value.stem, value.tensor)
    return value.named
  end
  if not value.nchw then return value.name end
  value.turned = value.turned or self:node("Transpose", { value.name }, { perm = { 0, 2, 3, 1 } })
  return value.turned
end

-- g:images(value) -> the name of a value of four axes in ONNX's order.
function Graph:images(value)
  if value.nchw then return value.name end
  return self:node("Transpose", { self:plain(value) }, { perm = { 0, 3, 1, 2 } })
end

-- g:refuse(node, reason): an error about a node.
function Graph:refuse(node, reason)
  fail("op %s of %s %s", node.op, node.layer or "the network", reason)
end

-- ---- nodes that are no ops ----

local texts = { inf = math.huge, ["-inf"] = -math.huge, nan = 0 / 0 }

-- A constant of the description; one that is filled is spread over its shape.
local function write_constant(graph, node, tensors, result)
  if node.tensor then
    result.tensor, result.stem = tensors[node.tensor], node.tensor
    return
  end
  local values = {}
  for i, value in ipairs(node.values or { node.fill }) do values[i] = texts[value] or value end
  local shape = node.values and node.shape or {}
  result.tensor, result.stem = core.new_tensor(#shape > 0 and values or values[1], node.dtype, shape), "const"
  if node.values or #node.shape == 0 then return end
  result.name = graph:node("Expand", { graph:plain(result), ops.sizes(graph, node.shape) })
  result.tensor = nil
end

-- Fills in the value of a node. about: { states =, tensors = by name, images = the value }.
local function write(graph, node, inputs, result, about)
  if node.op == "images" then
    result.name, result.nchw = about.images, true
  elseif node.op == "state" then
    result.tensor, result.stem = about.states[node.name]:read(), node.name
  elseif node.op == "number" then
    result.number = texts[node.value] or node.value
  elseif node.op == "constant" then
    write_constant(graph, node, about.tensors, result)
  elseif ops[node.op] and node.op ~= "sizes" then
    ops[node.op](graph, node, inputs, result)
  else
    graph:refuse(node, "has no counterpart in ONNX")
  end
end

-- ---- the whole ----

-- The name of the images as the network takes them.
local function input(graph, net, normalize)
  graph.used.images = 1
  if not normalize then return "images" end
  if not net.mean then
    fail "the file does not say mean and deviation of its images, which {normalize} needs"
  end
  local mean, scale, shape = {}, {}, { #net.mean, 1, 1 }
  for i, value in ipairs(net.mean) do mean[i], scale[i] = value, 1 / net.std[i] end
  local centered = graph:node("Sub", { "images", graph:tensor("mean", core.new_tensor(mean, "f32", shape)) })
  return graph:node("Mul", { centered, graph:tensor("scale", core.new_tensor(scale, "f32", shape)) })
end

local function by_name(list, field)
  local found = {}
  for _, item in ipairs(list) do found[item.name] = item[field] end
  return found
end

-- onnx.bytes(net, tensors [, { normalize = false, softmax = false }]) -> an ONNX model. net: of icl.network.open;
-- tensors: the large constants of its file by name. Its input `images` is f32 (batch, c, h, w), normalised, or with
-- normalize from 0 to 1; its output `logits`, or with softmax `probabilities`, (batch, classes).
function onnx.bytes(net, tensors, options)
  options = options or {}
  local about = net:about()
  local name = options.softmax and "probabilities" or "logits"
  local graph = setmetatable({ nodes = {}, tensors = {}, used = { [name] = 1 }, layer = "", bytes = 0 }, Graph)
  local values, made = {}, net:values()
  local parts = { states = by_name(net:named_states(), "state"), tensors = tensors,
                  images = input(graph, net, options.normalize) }
  for i, node in ipairs(about.network.nodes) do
    local inputs = {}
    for k, place in ipairs(node.of or {}) do inputs[k] = values[place + 1] end
    graph.layer, values[i] = node.layer or "", made[i]
    write(graph, node, inputs, values[i], parts)
  end
  graph.layer = ""
  local result = graph:plain(values[about.network.output + 1])
  graph.nodes[#graph.nodes + 1] = options.softmax and { op = "Softmax", inputs = { result }, output = name,
    attributes = { axis = 1 } } or { op = "Identity", inputs = { result }, output = name }
  local metadata = {}
  if net.class_names then metadata.class_names = require "icl.json".encode(net.class_names) end
  return model.bytes {
    name = "network", nodes = graph.nodes, tensors = graph.tensors, metadata = metadata,
    inputs = { { name = "images", dtype = "f32", shape = { "batch", net.shape[3], net.shape[1], net.shape[2] } } },
    outputs = { { name = name, dtype = "f32", shape = { "batch", net.classes } } },
  }
end

return onnx
