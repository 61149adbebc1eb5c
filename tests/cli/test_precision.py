"""Precisions: what devices have, trainings in f16 with loss scaling and in f16 alone, and runs of them that go on."""

import json
import os

from harness import (ICL, ROOT, close, contains, environment, equal, failure, folder, lacks, read_bytes, run, success,
                     tensors, test, write_mnist)

RECIPE = os.path.join(ROOT, "recipes", "mnist.lua")
TESTS = os.path.join(ROOT, "tests", "lua", "test_grad_scaler.lua")
SMALL = ["--depth", "8", "--initial-channels", "2", "--batch-size", "16", "--epochs", "2", "--seed", "3"]

# Three steps an epoch; DIE names the one behind which the process ends. The scale, from which gradients overflow, grows
# behind two clean steps.
LOOP = """
local icl = require "icl"
local opt = icl.options "a loop of one's own" : include(icl.options.data, icl.options.training, icl.options.runtime)
  : default { dataset = "mnist", epochs = 3, batch_size = 16 } : parse(arg)
local train = icl.data.open(opt)
local nn = icl.nn
local model = nn.sequential { nn.conv2d(1, 2, 3), nn.batch_norm(2), nn.relu(), nn.global_avg_pool(), nn.linear(2, 10) }
local optimizer = icl.optim.adam(model, { gradient_clip = 1 })
local scaler = icl.grad_scaler { init_scale = 2.0 ^ 30, growth_interval = 2, enabled = opt.precision == "f16" }
local loader = icl.data.loader(train, { batch_size = opt.batch_size, training = true,
                                        chain = icl.augment.from_options(opt, train, { training = true }) })
local run = icl.run { epochs = opt.epochs, output = opt.output, resume = opt.resume, save_every = "1step",
                      model = model, keep = { model = model, optimizer = optimizer, scaler = scaler } }
local die = tonumber(os.getenv "DIE")
for epoch in run:epochs() do
  for batch in run:batches(loader) do
    for _, part in ipairs(batch:chunks(2)) do
      local loss = icl.loss.cross_entropy(model(part.image), part.target) * 0.5
      scaler:backward(loss)
      run:log { loss = loss, scale = scaler.loss_scale and scaler.loss_scale:read() }
    end
    if run.step == die then os.exit(9) end
    scaler:step(optimizer, 0.01)
  end
  print("scale", run.last.scale)
end
"""


class place(folder):
  """A folder with a small MNIST."""

  def __enter__(self):
    super().__enter__()
    os.mkdir(self / "mnist")
    write_mnist(self / "mnist", 48, 16)
    return self

  def icl(self, *words, **changes):
    return run(*words, cwd=self.path, env=environment(ICL_RUNS="runs", **changes))

  def train(self, precision, *words):
    return self.icl(RECIPE, "--device", "ref", "--data", "mnist", "--precision", precision, *SMALL, *words)


def states(path, prefix):
  """The dtypes of the tensors in a safetensors file whose names begin so."""
  content = read_bytes(path)
  header = json.loads(content[8:8 + int.from_bytes(content[:8], "little")])
  return {name: entry["dtype"] for name, entry in header.items() if name.startswith(prefix)}


def dtypes(path, prefix):
  return set(states(path, prefix).values())


@test
def a_device_without_a_precision_is_a_wrong_command_line():
  for precision in "f16", "f16-pure":
    contains(failure(run(RECIPE, "--precision", precision), 2), f"--precision {precision}: device cpu has f32, bf16",
             "; bf16 takes as little memory")
  contains(failure(run("--device", "cpu", RECIPE, "--precision", "f16"), 2), "device cpu has f32, bf16")
  text = failure(run(RECIPE, "--precision", "tf32", "--device", "ref"), 2)
  contains(text, "--precision tf32: device ref has f32, bf16, f16")
  lacks(text, "as little memory")
  contains(failure(run(RECIPE, "--precision", "f15"), 2), "did you mean f16?")
  far = environment(ICL_PLUGINS=os.path.join(os.path.dirname(ICL), "tests"))
  for device, precisions in ("ref", "f32 bf16 f16"), ("far:1", "f32 tf32 bf16 f16"):
    code = f"print(table.concat(require 'icl.core'.device_precisions '{device}', ' '))"
    equal(success(run("-e", code, env=far)), precisions + "\n")
  contains(success(run("-e", "print(require 'icl.core'.device_precisions 'nothing')")), "nil\n")


@test
def a_table_of_options_is_held_to_the_same():
  begin = """
    local icl = require "icl"
    local images = icl.zeros({ 4, 4, 4, 1 }, "u8")
    local set = icl.data.set { images = images, labels = icl.tensor({ 0, 1, 0, 1 }, { dtype = "i64" }), classes = 2,
                               mean = { 0.5 }, std = { 0.2 } }
    local model = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(16, 2) }
    local function fit(precision, more)
      local given = { model = model, train = set, quiet = true, options = { precision = precision, epochs = 1,
                      batch_size = 2, schedule = "constant", random_crop = false } }
      for name, value in pairs(more or {}) do given[name] = value end
      icl.fit(given)
    end
  """
  with folder() as here:
    def script(device, code):
      return run("--device", device, here.write("script.lua", begin + code))

    contains(failure(script("cpu", "fit 'f16'")), "precision f16: device cpu has f32, bf16; bf16 takes")
    contains(failure(script("cpu", "fit 'tf32'")), "precision tf32: device cpu has f32, bf16")
    success(script("cpu", "fit 'bf16'"))
    success(script("ref", "fit 'f16' fit 'f32'"))
    contains(success(script("ref", "fit 'f16-pure' print(model:parameters()[1]:dtype())")), "f16\n")
    chain = "{ chain = icl.augment.chain { icl.augment.normalize { dtype = '%s' } } }"
    for precision in "bf16", "f16", "f16-pure":
      contains(failure(script("ref", f"fit('{precision}', {chain % 'f32'})")),
               f"precision {precision}: the chain that was given makes images f32; icl.augment.normalize {{ dtype = ")
    success(script("ref", f"fit('f16', {chain % 'f16'})"))
    contains(failure(script("ref", "fit('f16', { optimizer = { step = print } })")), "it takes an optimizer")
    contains(failure(script("ref", "fit('f16-pure', { optimizer = icl.optim.sgd(model) })")),
             "the optimizer was made for parameters that are f32; call model:to 'f16' before it is made")
    success(script("ref", "model:to 'f16' fit('f16-pure', { optimizer = icl.optim.sgd(model) })"))
    contains(failure(script("ref", "fit('f16-pure', { model = function(x) return model(x) end })")),
             "f16-pure makes the parameters of a module f16; the model is a function")


@test
def loss_scaling_on_the_reference_device():
  text = success(run("--device", "ref", TESTS))
  contains(text, ", 0 failed")


@test
def training_in_f16():
  with place() as here:
    losses = {}
    for precision in "f32", "f16":
      success(here.train(precision, "--output", precision))
      log = read_bytes(here / f"{precision}/metrics.jsonl").decode()
      equal("\"loss_scale\":65536" in log, precision == "f16")
      losses[precision] = float(log.splitlines()[1].split('"train":{"loss":')[1].split(",")[0])
    assert 0 < abs(losses["f16"] - losses["f32"]) < 0.01, losses
    last = here / "f16/checkpoints/last.safetensors"
    equal(dtypes(last, "model.conv"), {"F32"})
    equal(dtypes(last, "optimizer."), {"F32"})
    equal(sorted(states(last, "scaler.")), ["scaler.clean_steps", "scaler.loss_scale"])
    contains(success(here.icl("evaluate", "f16")), "Top-1")


@test
def a_scale_that_has_fallen_to_nothing_is_told_once():
  code = """
    local icl = require "icl"
    local set = icl.data.set { images = icl.zeros({ 40, 4, 4, 1 }, "u8"), labels = icl.zeros({ 40 }, "i64"),
                               classes = 2, mean = { 0.5 }, std = { 0.2 } }
    icl.fit {
      model = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(16, 2) }, train = set,
      loss = function(logits) return (logits * 0):sum():sqrt() end,
      options = { precision = "f16", epochs = 2, batch_size = 2, schedule = "constant", random_crop = false },
    }
  """
  with folder() as here:
    result = run("--device", "ref", here.write("script.lua", code))
    equal((success(result) + result.stderr).count("The scale of the loss has fallen to 0.0"), 1)


@test
def training_in_nothing_but_f16():
  with place() as here:
    success(here.train("f16-pure", "--output", "pure"))
    last = here / "pure/checkpoints/last.safetensors"
    equal(dtypes(last, "model."), {"F16", "I64"})
    equal(dtypes(last, "optimizer."), {"F16"})
    equal(dtypes(last, "scaler."), set())
    contains(success(here.icl("evaluate", "pure", "--data", "mnist")), "Top-1")
    success(here.train("f16-pure", "--output", "part", "--epochs", "1"))
    success(here.icl(RECIPE, "--device", "ref", "--resume", "part", "--epochs", "2", "--resume-anyway"))


@test
def a_run_in_f16_goes_on_with_the_same_bytes():
  with place() as here:
    here.write("loop.lua", LOOP)
    loop = ["loop.lua", "--device", "ref", "--data", "mnist"]
    whole = success(here.icl(*loop, "--precision", "f16", "--output", "whole"))
    equal(float(whole.split()[1]) < 2**30, True)  # it did overflow
    for step in 1, 4, 7:
      died = here.icl(*loop, "--precision", "f16", "--output", f"cut{step}", DIE=str(step))
      equal(died.returncode, 9, died.stderr)
      success(here.icl(*loop, "--resume", f"cut{step}"))
      for name in "weights", "checkpoints/last":
        equal(tensors(here / f"cut{step}/{name}.safetensors"), tensors(here / f"whole/{name}.safetensors"))
    success(here.icl(*loop, "--output", "f32"))
    equal(states(here / "f32/checkpoints/last.safetensors", "scaler"), {})


close()
