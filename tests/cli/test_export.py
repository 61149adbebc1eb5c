"""icl export: networks as ONNX models, which onnxruntime must compute as icl does, and as weights."""

import json
import os

from harness import Skip, close, contains, equal, folder, read_bytes, run, success, test

try:
  import numpy
  import onnx
  import onnxruntime
except ImportError as error:
  onnx, missing = None, str(error)

# Each makes a model; statistics and biases are stirred, so that each of them matters.
FAMILIES = {
  "resnet": "icl.models.resnet { depth = 20 }",
  "resnet_preact": "icl.models.resnet_preact { depth = 20, add_last_bn = true }",
  "se_resnet_preact": "icl.models.se_resnet_preact { depth = 20 }",
  "wrn": "icl.models.wrn { depth = 16, widening_factor = 2, drop_rate = 0.3 }",
  "densenet": "icl.models.densenet { depth = 22, growth_rate = 4, drop_rate = 0.2 }",
  "pyramidnet": "icl.models.pyramidnet { depth = 20, block_type = 'basic', alpha = 12 }",
  "resnext": "icl.models.resnext { depth = 29, initial_channels = 16, cardinality = 2, base_channels = 4 }",
  "shake_shake": "icl.models.shake_shake { depth = 26, initial_channels = 4 }",
  "vgg": "icl.models.vgg {}",
  "resnet imagenet": "icl.models.resnet { type = 'imagenet', depth = 18, input = { 64, 48, 3 }, classes = 7 }",
  "resnet_preact imagenet":
    "icl.models.resnet_preact { type = 'imagenet', depth = 18, input = { 64, 64, 1 }, classes = 7 }",
  "densenet imagenet": "icl.models.densenet { type = 'imagenet', n_blocks = { 2, 2, 2, 2 }, growth_rate = 4, "
                       "input = { 64, 64, 3 }, classes = 7 }",
  "pyramidnet imagenet": "icl.models.pyramidnet { type = 'imagenet', n_blocks = { 1, 1, 1, 1 }, alpha = 8, "
                         "input = { 64, 64, 3 }, classes = 7 }",
  "resnext imagenet": "icl.models.resnext { type = 'imagenet', n_blocks = { 1, 1, 1, 1 }, cardinality = 2, "
                      "input = { 64, 64, 3 }, classes = 7 }",
  "vgg imagenet": "icl.models.vgg { type = 'imagenet', input = { 64, 64, 3 }, classes = 7 }",
}

MAKE = """
local icl, core = require "icl", require "icl.core"
local nn = icl.nn
icl.random.seed(3)
local function own(forward, prepare)
  local Own = nn.layer "own"
  function Own:init()
    self.conv, self.fc, self.input = nn.conv2d(3, 4, 3, { bias = true }), nn.linear(4, 5), { 6, 6, 3 }
    if prepare then prepare(self) end
  end
  Own.forward = forward
  return Own()
end
local model = %s
for _, entry in ipairs(model:named_states()) do
  local state = entry.state
  if entry.key == "running_var" then
    state:write(icl.random.uniform(state:shape()) + 0.5)
  elseif state:dtype() == "f32" and state:rank() == 1 then
    state:write(state + 0.3 * icl.random.normal(state:shape()))
  end
end
local shape = model.input
local mean, std = {}, {}
for i = 1, shape[3] do mean[i], std[i] = 0.4 + i / 20, 0.2 + i / 30 end
icl.network.save(model, arg[1], { data = { name = "own", shape = shape, mean = mean, std = std } })
local net = icl.network.open(arg[1])
for _, count in ipairs { 1, 5 } do
  local x = icl.random.normal { count, table.unpack(shape) }
  local bytes = icl.ops.cast(icl.random.uniform { count, table.unpack(shape) } * 255, { dtype = "u8" })
  core.npz_write(arg[1] .. "." .. count, { x = x, logits = net(x), bytes = bytes, of_bytes = net(bytes) })
end
"""


def session(path):
  model = onnx.load(path)
  onnx.checker.check_model(model, full_check=True)
  equal((model.ir_version, model.opset_import[0].version), (8, 17))
  equal(model.graph.input[0].type.tensor_type.shape.dim[0].dim_param, "batch")
  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = 1
  return model, onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def near(a, b):
  error = numpy.abs(a - b).max() / max(numpy.abs(b).max(), 1e-6)
  assert error < 1e-4, f"the logits differ by {error:.2e} of the largest"


def check(where, make, transposes=0):
  """Exports the model in three ways and compares each with icl; returns the ONNX model. `transposes`: how many are in
  it, None if that is no matter."""
  if onnx is None:
    raise Skip(f"{missing}; pip install onnx onnxruntime numpy")
  success(run(where.write("make.lua", MAKE.replace("%s", make)), where / "net"))
  success(run("export", where / "net", "--onnx", where / "net.onnx"))
  success(run("export", where / "net", "--onnx", where / "bytes.onnx", "--normalize", "--softmax"))
  model, plain = session(where / "net.onnx")
  _, normalized = session(where / "bytes.onnx")
  for count in (1, 5):
    with numpy.load(where / f"net.{count}") as file:
      images = file["x"].transpose(0, 3, 1, 2)
      near(plain.run(["logits"], {"images": images})[0], file["logits"])
      scaled = file["bytes"].transpose(0, 3, 1, 2).astype("float32") / 255
      got = normalized.run(["probabilities"], {"images": scaled})[0]
      exponents = numpy.exp(file["of_bytes"] - file["of_bytes"].max(1, keepdims=True))
      assert numpy.abs(got - exponents / exponents.sum(1, keepdims=True)).max() < 1e-4
  if transposes is not None:
    equal(sum(node.op_type == "Transpose" for node in model.graph.node), transposes)
  return model


for name, make in FAMILIES.items():
  def family(make=make):
    with folder() as where:
      check(where, make)
  family.__name__ = name.replace(" ", "_") + "_is_what_onnxruntime_computes"
  test(family)


@test
def dropout_and_shaking_are_gone():
  with folder() as where:
    kinds = {node.op_type for node in check(where, FAMILIES["shake_shake"]).graph.node}
    kinds |= {node.op_type for node in check(where, FAMILIES["wrn"]).graph.node}
    equal(kinds, {"Conv", "BatchNormalization", "Relu", "Add", "Mul", "Concat", "AveragePool", "Pad", "Slice",
                  "GlobalAveragePool", "Flatten", "Gemm", "Identity"} & kinds)


OWN = {
  "elementwise": """own(function(self, x)
    local y = self.conv(x)
    local z = (y:exp() + 1):log():sqrt() - y:tanh() * y:abs() / (y:sigmoid() + 0.5) + (-y):maximum(y * 0.5)
    z = z + icl.ops.where(y:gt(0.1), y, y:minimum(0)) + y:ne(0):cast "f32" + y:clamp(-0.5, 0.5) + y:relu() ^ 2
    return self.fc(z:global_avg_pool())
  end)""",
  "activations": """own(function(self, x)
    local y = self.conv(x)
    local z = y:gelu() + y:silu() + y:softplus() + (4 * y):hardswish() + (3 * y):round() + y:erf()
    return self.fc((z + y:leaky_relu(0.1) + y:elu(0.7)):global_avg_pool())
  end)""",
  "order": """own(function(self, x)
    local y = self.conv(x):global_avg_pool()
    local sorted, index = y:sort(2)
    local largest = y:topk(2)
    local z = y:cumsum(2) + sorted:cumsum(2, true) + index:float() + y:gt(0):argsort(2, true):float()
    return self.fc(z + icl.concat({ largest, y:gather(2, index:narrow(2, 2, 2)) }, 2))
  end)""",
  "constants": """own(function(self, x)
    local y = icl.ops.concat(self.conv(x), icl.full({ x:size(1), 6, 6, 2 }, 0.25), { dim = 4 }):narrow(4, 2, 4)
    return self.fc((y * self.short + y * self.long):global_avg_pool())
  end, function(self) self.short, self.long = icl.tensor { 0.1, -2, 3e-3, 4 }, icl.random.normal { 6, 6, 4 } end)""",
}
LAYERS = {
  "norms": "nn.group_norm(2, 8), nn.layer_norm(8), nn.instance_norm(8)",
  "transposed": """nn.conv_transpose2d(8, 8, { 2, 3 }, { stride = 2 }),
                   nn.conv_transpose2d(8, 8, 3, { stride = 2, padding = 1, output_padding = 1, groups = 2 })""",
  "sizes": """nn.upsample { scale = 2 }, nn.adaptive_avg_pool2d(3), nn.conv2d(8, 8, 3, { dilation = 2 }),
              nn.upsample { size = 5, mode = 'bilinear' }""",
  "borders": """nn.conv2d(8, 8, 3, { padding_mode = 'reflect' }), nn.prelu(8), function(x) return x:flip(2, 4) end""",
  "attention": """function(x) return x:reshape(x:size(1), -1, 8) end, nn.multi_head_attention(8, 2),
                  function(x) return x:reshape(x:size(1), 6, 6, 8) end""",
}
TURNED = {
  "reductions": """own(function(self, x)
    local y = self.conv(x):pad { low = { 0, 1, 0, 0 }, high = { 0, 0, 1, 0 }, value = 0.5 }
    y = y:avg_pool2d { kernel = 3, stride = 2, padding = 1 } + 0
    return self.fc(y:mean({ 2, 3 }) + y:max({ 2, 3 }) + y:reshape(x:size(1), -1, 4):softmax():sum(2))
  end)""",
  "flattening": """nn.sequential { nn.conv2d(3, 4, 3), nn.flatten(), nn.linear(144, 6), nn.batch_norm(6),
                                    function(x) return x:log_softmax() end }""",
}


@test
def networks_of_ones_own():
  for name, make in OWN.items():
    with folder() as where:
      check(where, make, transposes=int(name == "constants"))


@test
def what_needs_our_order_is_turned_once():
  with folder() as where:
    check(where, TURNED["reductions"], transposes=1)
  with folder() as where:
    flat = "(function() local m = " + TURNED["flattening"] + " m.input = { 6, 6, 3 } return m end)()"
    check(where, flat)


@test
def other_layers():
  for layers in LAYERS.values():
    with folder() as where:
      check(where, "(function() local m = nn.sequential { nn.conv2d(3, 8, 3), " + layers +
            ", nn.global_avg_pool(), nn.linear(8, 4) } m.input = { 6, 6, 3 } return m end)()", transposes=None)


@test
def what_onnx_has_not_is_named():
  with folder() as where:
    make = """own(function(self, x)
      return self.fc(self.conv(x):mean { 2, 3 }:argmax(2):one_hot(4))
    end)"""
    success(run(where.write("make.lua", MAKE.replace("%s", make)), where / "net"))
    result = run("export", where / "net", "--onnx", where / "out.onnx")
    equal(result.returncode, 1)
    contains(result.stderr, "op one_hot of the network has no counterpart in ONNX")


@test
def weights_come_out_as_they_went_in():
  with folder() as where:
    success(run(where.write("make.lua", MAKE.replace("%s", FAMILIES["resnet"])), where / "net"))
    written = success(run("export", where / "net", "--safetensors", where / "copy", "--npz", where / "w.npz"))
    equal(written.split(), [where / "w.npz", where / "copy"])
    script = where.write("compare.lua", """
      local icl, core = require "icl", require "icl.core"
      local arrays, count = core.npz_read(arg[3]), 0
      for _, item in ipairs(core.safetensors_read(arg[1])) do
        assert(arrays[item.name]:ne(item.tensor):cast "f32":sum():item() == 0)
        count = count + 1
      end
      for _ in pairs(arrays) do count = count - 1 end
      assert(count == 0)
      local x = icl.random.normal { 3, 32, 32, 3 }
      local a, b = icl.network.open(arg[1]), icl.network.open(arg[2])
      assert(a(x):ne(b(x)):cast "f32":sum():item() == 0)
      icl.models.resnet { depth = 20 }:load(arg[2])""")
    success(run(script, where / "net", where / "copy", where / "w.npz"))


@test
def plain_weights_get_a_description():
  with folder() as where:
    script = where.write("make.lua", """
      local icl = require "icl"
      icl.models.resnet { depth = 8, classes = 4 }:save(arg[1])""")
    success(run(script, where / "plain"))
    words = ("--model", "resnet", "--depth", "8", "--input", "32,32,3", "--safetensors", where / "net")
    success(run("export", where / "plain", *words))
    result = run("-e", f'print(icl.network.open("{where / "net"}").classes)')
    success(result)
    equal(result.stdout, "4\n")


@test
def wrong_command_lines_are_named():
  with folder() as where:
    for words, message in (
      (("--npz", "y"), "which network?"), (("x",), "one of --onnx, --safetensors and --npz"),
      (("x", "--npz", "y", "--softmax"), "--softmax means nothing without --onnx"),
    ):
      result = run("export", *words)
      equal(result.returncode, 2, result.stderr)
      contains(result.stderr, message)
    success(run(where.write("make.lua", MAKE.replace("%s", FAMILIES["resnet"])), where / "net"))
    contains(run("export", where / "net", "--onnx", where / "no/such/folder.onnx").stderr, "no/such/folder.onnx")
    before = read_bytes(where / "net")
    result = run("export", where / "net", "--onnx", f"{where.path}/.//net")
    equal(result.returncode, 2, result.stderr)
    contains(result.stderr, "--onnx", "it is the file that is read")
    equal(read_bytes(where / "net"), before)
    result = run("export", where / "net", "--onnx", where / "two", "--npz", where / "two")
    equal(result.returncode, 2, result.stderr)
    contains(result.stderr, "--onnx and --npz name one file")
    os.symlink(where / "net", where / "link")
    result = run("export", where / "net", "--npz", where / "link")
    equal(result.returncode, 2, result.stderr)
    contains(result.stderr, "--npz", "it is the file that is read")
    where.write("one", "")
    os.symlink("one", where / "another")
    result = run("export", where / "net", "--onnx", where / "one", "--npz", where / "another")
    equal(result.returncode, 2, result.stderr)
    contains(result.stderr, "--onnx and --npz name one file")


TRAIN = """
local icl = require "icl"
local opt = icl.options "a small run"
  : include(icl.options.data, icl.options.training, icl.options.runtime) : parse(arg)
local function made(count)
  return icl.data.generate(count, function(i)
    return (icl.random.uniform { 6, 6, 3 } * 255):cast "u8", (i - 1) % 4
  end, { classes = 4, mean = { .5, .5, .5 }, std = { .2, .2, .2 } })
end
icl.fit { train = made(16), test = made(8), options = opt,
          model = icl.nn.sequential { icl.nn.conv2d(3, 4, 3), icl.nn.global_avg_pool(), icl.nn.linear(4, 4) } }
"""


@test
def weights_of_checkpoints_are_weights():
  with folder() as where:
    where.write("train.lua", TRAIN)
    success(run("train.lua", "--output", "run", "--epochs", "2", "--batch-size", "8", "--ema", "0.9", cwd=where.path))
    for name, words in (("best", ["run/checkpoints/best.safetensors"]), ("ema", ["run", "--ema"])):
      success(run("export", *words, "--safetensors", name, cwd=where.path))
      success(run("export", name, "--safetensors", "again", "--npz", "again.npz", cwd=where.path))
      count = "print(#icl.weights.read '%s', icl.network.open '%s'.classes)"
      equal(success(run("-e", count % ("again", "again"), cwd=where.path)).split(), ["3", "4"])
      success(run("train.lua", "--output", "none", "--batch-size", "8", "--weights", name, cwd=where.path))


@test
def a_state_may_be_called_as_the_output_is():
  if onnx is None:
    raise Skip(f"{missing}; pip install onnx onnxruntime numpy")
  with folder() as where:
    success(run(where.write("make.lua", """
      local icl = require "icl"
      local Own = require "icl.nn.module".class "own"
      function Own:init()
        self.fc = icl.nn.linear(3, 4)
        self:parameter("logits", icl.zeros { 4 })
      end
      function Own:forward(x) return self.fc(x:mean { 2, 3 }) + self.logits end
      icl.network.save(Own(), arg[1], { shape = { 4, 4, 3 } })"""), where / "net"))
    success(run("export", where / "net", "--onnx", where / "net.onnx"))
    model = onnx.load(where / "net.onnx")
    onnx.checker.check_model(model)
    names = [tensor.name for tensor in model.graph.initializer] + [node.output[0] for node in model.graph.node]
    equal(len(names), len(set(names)))


close()
