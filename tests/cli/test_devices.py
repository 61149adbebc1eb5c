"""Devices: which there are, how one is chosen, and what is said where one cannot be used. The plug-in `far`, a device
with a memory of its own that works late, lies beside the unit tests."""

import json
import os

from harness import ICL, close, contains, environment, equal, failure, folder, lacks, read_bytes, run, success, test

PLUGINS = os.path.join(os.path.dirname(ICL), "tests")


def with_far(**changes):
  return environment(ICL_PLUGINS=PLUGINS, **changes)


def listed(**changes):
  text = success(run("devices", "--json", env=environment(**changes)))
  return {entry["name"]: (entry["usable"], entry["text"]) for entry in json.loads(text)}


@test
def devices_are_listed_with_what_they_are_or_why_not():
  devices = listed()
  equal(list(devices), ["cpu", "ref", "cuda"])
  assert devices["cpu"][0] and devices["ref"][0]
  contains(devices["cpu"][1], "threads, vector kernels ")
  if not devices["cuda"][0]:
    contains(devices["cuda"][1], "libicl_cuda.so", "ICL_PLUGINS")
  devices = listed(ICL_PLUGINS=PLUGINS)
  equal(list(devices), ["cpu", "ref", "far:0", "far:1", "old", "cuda"])
  contains(devices["far:1"][1], "far:1: f32;")
  devices = listed(ICL_PLUGINS="/nowhere:" + PLUGINS, FAR_REFUSE="the driver is too old")
  equal(devices["far"], (False, "device 'far' cannot be used; cpu and ref are built in: far: the driver is too old"))
  text = success(run("devices", env=with_far()))
  contains(text, "cpu", "far:1", "not usable")
  failure(run("devices", "extra"), 2)


@test
def the_version_tells_of_plug_ins():
  contains(success(run("--version", env=with_far())), "\ncpu: ", "\nfar:0: f32;", "libicl_cuda.so")
  contains(success(run("--version", env=with_far(FAR_REFUSE="no driver"))), "'far' cannot be used", "far: no driver")


@test
def a_device_that_there_is_not_is_a_wrong_command_line():
  contains(failure(run("--device", "nothing", "-e", "x"), 2), "libicl_nothing.so in ", "ICL_PLUGINS", "cpu and ref")
  contains(failure(run("--device", "cpu:1", "-e", "x"), 2), "there is one cpu")
  contains(failure(run("--device", "a b", "-e", "x"), 2), "'a b' is no name of a device")
  contains(failure(run("--device", "far", "-e", "x", env=with_far(FAR_REFUSE="no driver")), 2), "far: no driver")
  contains(failure(run("--device", "far:9", "-e", "icl.ones { 1 }", env=with_far()), 1), "devices 0 and 1, not 9")


@test
def options_of_devices():
  code = "print(icl.ones({ 2 }):sum():item(), require 'icl.core'.describe_device())"
  contains(success(run("--device", "far:1", "--deterministic", "-e", code, env=with_far())), "2.0\tfar:1: f32, determ")
  success(run("--deterministic", "-e", code))
  code = "icl.configure { precision = 'tf32' } " + code
  contains(success(run("--device", "far", "-e", code, env=with_far())), "far:0: tf32;")
  contains(failure(run("-e", code), 1), "device cpu has no precision tf32; it has f32")


TRAINING = """
local icl = require "icl"
local opt = icl.options "a test" : include(icl.options.runtime) : parse(arg)
local model = icl.nn.sequential { icl.nn.conv2d(3, 8, 3, { padding = 1 }), icl.nn.batch_norm(8), icl.nn.relu(),
                                  icl.nn.global_avg_pool(), icl.nn.linear(8, 4) }
local optimizer, ema = icl.optim.sgd(model, { momentum = 0.9 }), icl.ema(model, { decay = 0.5 })
local images, labels = icl.random.normal { 6, 8, 8, 3 }, icl.tensor({ 0, 1, 2, 3, 0, 1 }, { dtype = "i64" })
for step = 1, 6 do
  icl.step(function()
    icl.loss.cross_entropy(model(images), labels):backward()
    optimizer:step(0.1)
    ema:update()
  end)
  if step == 3 then model:save(opt.output .. "/middle.safetensors") end
  if step == 4 then ema:apply(function() model:save(opt.output .. "/average.safetensors") end) end
end
model:save(opt.output .. "/end.safetensors")
"""


@test
def a_training_is_the_same_on_a_device_of_its_own():
  with folder() as here:
    script = here.write("train.lua", TRAINING)
    files = {}
    for device, threads in ("cpu", "1"), ("far", "1"):
      os.mkdir(here / device)
      success(run(script, "--device", device, "--threads", threads, "--output", here / device,
                  env=with_far(ICL_PLAN="no-chunks")))
      for name in "middle", "average", "end":
        files.setdefault(name, []).append(read_bytes(f"{here / device}/{name}.safetensors"))
    for name, (cpu, far) in files.items():
      equal(cpu == far, True, name)
    assert len({contents[0] for contents in files.values()}) == 3


@test
def an_error_that_comes_late_is_told_at_the_end():
  code = "local s = icl.state(icl.ones { 2 }) icl.step(function() s:write(s:read() + 1) end)"
  result = run("--device", "far", "-e", code, env=with_far(FAR_FAIL_RUN="1"))
  contains(result.stderr, "warning: the device failed", "far: run 1 failed in conv2d")
  result = run("--device", "far", "-e", code + " print(s:read():sum():item())", env=with_far(FAR_FAIL_RUN="1"))
  contains(failure(result, 1), "far: run 1 failed in conv2d", "last checkpoint")
  lacks(result.stdout, "2")


close()
