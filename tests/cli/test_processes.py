"""Several processes that train together, started as torchrun starts them: the bytes of one process, faults, signals,
going on with another number of them.

With `--device NAME` they compute there, and only what a device may do differently is looked at; `--devices N` says how
many there are (3).
"""

import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import time

from harness import (ICL, PATIENCE, close, contains, environment, equal, failure, folder, lacks, read_bytes, run,
                     success, test, word_behind, write_image_folder, write_mnist)

DEVICE = word_behind("--device", None)
THREE = min(3, int(word_behind("--devices", "3")))


def on_the_cpu(function):
  """A test that is not run with --device."""
  return function if DEVICE else test(function)


def on_a_device(function):
  """A test that is run with --device alone."""
  return test(function) if DEVICE else function


NET = """
local icl = require "icl"
local opt = icl.options "a small network"
  : choice("net", "plain", { "plain", "dropout", "shake" }, "what is drawn in it")
  : value("pause", 0.0, "seconds behind each step", { min = 0, neutral = true, may_change = true })
  : include(icl.options.data, icl.options.augmentation, icl.options.training, icl.options.runtime)
  : default { dataset = "mnist", epochs = 2, base_lr = 0.1, schedule = "cosine", batch_size = 24 }
  : parse(arg)
local train, val, test = icl.data.open(opt)
local nn, model = icl.nn, nil
if opt.net == "shake" then
  model = icl.models.shake_shake { depth = 8, initial_channels = 4, input = train.shape, classes = train.classes }
else
  model = nn.sequential {
    nn.conv2d(train.shape[3], 8, 3, { stride = 2 }), nn.batch_norm(8), nn.relu(),
    opt.net == "dropout" and nn.dropout(0.3) or nn.identity(), nn.conv2d(8, 16, 3, { stride = 2 }), nn.batch_norm(16),
    nn.relu(), nn.global_avg_pool(), nn.linear(16, train.classes),
  }
end
icl.fit { model = model, train = train, val = val, test = test, options = opt, on_step = function(run)
  if opt.pause > 0 then
    io.stdout:write("step ", run.step, "\\n")
    io.stdout:flush()
    local till = os.clock() + opt.pause
    while os.clock() < till do end
  end
end }
"""


def free_port():
  with socket.socket() as listening:
    listening.bind(("127.0.0.1", 0))
    return listening.getsockname()[1]


class Place(folder):
  """A temporary folder with the network and a data set."""

  def __enter__(self):
    super().__enter__()
    self.recipe = self.write("net.lua", NET)
    self.data = self / "data"
    os.mkdir(self.data)
    write_mnist(self.data, train=100, test_images=70)
    return self

  def words(self, output, *arguments):
    device = ["--device", DEVICE, "--deterministic"] if DEVICE else []
    return [self.recipe, "--data", self.data, "--output", self / output, *device, *arguments]


def start_all(count, *words, threads=1, variables=None, own=None):
  """Starts icl in so many processes, as torchrun does; each may have words of its own."""
  port = free_port()
  return [subprocess.Popen([ICL, *words, *(own[rank] if own else [])], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(
                               ICL_THREADS=str(threads), RANK=str(rank), WORLD_SIZE=str(count), LOCAL_RANK=str(rank),
                               LOCAL_WORLD_SIZE=str(count), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
                               **(variables or {})))
          for rank in range(count)]


def end_all(processes):
  """Waits for their ends; -> a list of (code, output, messages)."""
  ends = []
  try:
    for process in processes:
      output, errors = process.communicate(timeout=PATIENCE)
      ends.append((process.returncode, output, errors))
  finally:
    for process in processes:
      if process.poll() is None:
        process.kill()
  return ends


def all_end_well(processes):
  ends = end_all(processes)
  for code, output, errors in ends:
    equal(code, 0, output + errors)
  return [output for _, output, _ in ends]


def tensors_by_name(path):
  content = read_bytes(path)
  length = struct.unpack("<Q", content[:8])[0]
  header, data = json.loads(content[8:8 + length]), content[8 + length:]
  return {name: data[slice(*entry["data_offsets"])] for name, entry in header.items() if name != "__metadata__"}


def states(run_folder, name="last"):
  return tensors_by_name(os.path.join(run_folder, "checkpoints", name + ".safetensors"))


def reports(run_folder):
  with open(os.path.join(run_folder, "metrics.jsonl"), encoding="utf-8") as file:
    return [json.loads(line) for line in file]


def is_statistic(name):
  return "running_" in name or "num_batches" in name


def differing(a, b, but=lambda name: False):
  equal(sorted(a), sorted(b))
  return [name for name in a if a[name] != b[name] and not but(name)]


# ---- the bytes of one process ----

# Processes, images of a batch, and what else is asked for. 19 images are no equal parts, and leave a smaller batch.
CASES = [
  (THREE, 19, ["--no-drop-last"]),
  (2, 24, ["--mixup", "--mix-with", "batch"]),
  (2, 24, ["--net", "dropout", "--label-smoothing", "0.1", "--optimizer", "lars", "--gradient-clip", "0.1"]),
] if DEVICE else [
  (2, 24, []),
  (3, 19, ["--no-drop-last"]),
  (4, 24, ["--net", "dropout", "--label-smoothing", "0.1"]),
  (2, 19, ["--net", "shake", "--no-drop-last"]),
  (2, 24, ["--mixup", "--mix-with", "batch"]),
  (3, 24, ["--ricap", "--no-random-crop", "--mix-with", "batch"]),
  (2, 24, ["--optimizer", "lars", "--gradient-clip", "0.1"]),
  (2, 24, ["--sam-rho", "0.05", "--ema", "0.9"]),
]
# Subdivided parts are mixed by themselves alone.
ALONE = [] if DEVICE else [(2, 24, ["--cutmix"])]


@test
def without_synchronised_batch_norm_they_are_the_parts_of_a_batch():
  with Place() as place:
    for number, (count, batch, more) in enumerate(CASES + ALONE):
      several, one = f"several{number}", f"one{number}"
      all_end_well(start_all(count, *place.words(several, "--global-batch-size", str(batch), *more)))
      parts = ["--mix-with", "part"] if "--cutmix" in more else []
      success(run(*place.words(one, "--batch-size", str(batch), "--subdivision", str(count), *more, *parts),
                  env=environment(ICL_THREADS="1")))
      equal(differing(states(place / several), states(place / one), is_statistic), [], str(more))
      for own, other in zip(reports(place / several)[:2], reports(place / one)[:2]):
        equal(own["train"], other["train"])


@on_the_cpu
def with_it_they_are_the_threads_of_one_process():
  with Place() as place:
    for number, (count, batch, more) in enumerate(CASES[:-1]):
      several, one = f"several{number}", f"one{number}"
      all_end_well(start_all(count, *place.words(several, "--sync-bn", "--global-batch-size", str(batch), *more)))
      success(run(*place.words(one, "--batch-size", str(batch), *more), env=environment(ICL_THREADS=str(count))))
      equal(differing(states(place / several), states(place / one)), [], str(more))
      for own, other in zip(reports(place / several)[:2], reports(place / one)[:2]):
        equal(own["test"]["top1"], other["test"]["top1"])
        assert abs(own["test"]["loss"] - other["test"]["loss"]) < 1e-6


def numbers(tensors):
  """Of f32, all that are not integers."""
  return {name: struct.unpack(f"<{len(data) // 4}f", data) for name, data in tensors.items()
          if "num_batches" not in name and len(data) % 4 == 0}


def differ_by_rounding(a, b):
  a, b = numbers(a), numbers(b)
  equal(sorted(a), sorted(b))
  for name, values in a.items():
    for x, y in zip(values, b[name]):
      assert abs(x - y) < 1e-3 * max(1, abs(x)), (name, x, y)


@test
def sums_in_any_order_and_batch_norm_of_all_change_last_digits():
  with Place() as place:
    more = ["--epochs", "1", "--base-lr", "0.01"]
    all_end_well(start_all(2, *place.words("fast", "--fast-reduce", "--global-batch-size", "24", *more)))
    all_end_well(start_all(2, *place.words("sync", "--sync-bn", "--global-batch-size", "24", *more)))
    for name, words in (("fast", ["--subdivision", "2"]), ("sync", [])):
      success(run(*place.words(name + " alone", "--batch-size", "24", *words, *more),
                  env=environment(ICL_THREADS="1")))
      both = [states(place / name), states(place / (name + " alone"))]
      if name == "fast":  # statistics are those of the parts that process 0 has
        both = [{key: value for key, value in one.items() if not is_statistic(key)} for one in both]
      differ_by_rounding(*both)


@on_the_cpu
def running_statistics_are_those_of_process_0_or_the_mean_of_all():
  with Place() as place:
    all_end_well(start_all(2, *place.words("first", "--epochs", "1")))
    all_end_well(start_all(2, *place.words("mean", "--epochs", "1", "--average-bn")))
    first, mean = states(place / "first"), states(place / "mean")
    equal(differing(first, mean, is_statistic), [])
    changed = differing(first, mean)
    equal([name for name in first if "running_" in name], changed)
    losses = [reports(place / name)[0]["test"]["loss"] for name in ("first", "mean")]
    assert losses[0] != losses[1], losses


@on_the_cpu
def an_evaluation_is_that_of_one_process():
  with Place() as place:
    all_end_well(start_all(3, *place.words("run", "--epochs", "1", "--eval-batch-size", "9")))
    output = success(run("evaluate", place / "run", "--data", place.data, "--batch-size", "9",
                         env=environment(ICL_THREADS="1")))
    record = reports(place / "run")[0]["test"]
    contains(output, f"{record['loss']:.4f}")
    equal(record["count"], 70)


@on_the_cpu
def images_of_a_folder_are_shared_out_too():
  with Place() as place:
    write_image_folder(place / "photos", train=9, val=5)
    words = ["--dataset", "folder", "--data", place / "photos", "--image-size", "32", "--epochs", "1"]
    for number, more in enumerate(([], ["--mixup", "--mix-with", "batch"])):
      all_end_well(start_all(2, place.recipe, *words, "--output", place / f"two{number}", "--global-batch-size", "6",
                             *more))
      success(run(place.recipe, *words, "--output", place / f"one{number}", "--batch-size", "6", "--subdivision", "2",
                  *more, env=environment(ICL_THREADS="1")))
      equal(differing(states(place / f"two{number}"), states(place / f"one{number}"), is_statistic), [])


@on_the_cpu
def sixty_four_share_out_every_image():
  with Place() as place:
    words = ["--global-batch-size", "96", "--epochs", "1", "--net", "dropout"]
    outputs = all_end_well(start_all(64, *place.words("many", *words)))
    contains(outputs[0], "Processes: 64 on 1 machine; a batch has 96 images, 2 of each at most")
    success(run(*place.words("one", "--batch-size", "96", "--subdivision", "64", *words[2:]),
                env=environment(ICL_THREADS="1")))
    equal(differing(states(place / "many"), states(place / "one"), is_statistic), [])
    equal(reports(place / "many")[0]["train"], reports(place / "one")[0]["train"])
    equal(reports(place / "many")[0]["test"]["count"], 70)


OWN = """
local icl = require "icl"
local opt = icl.options "a loop of one's own"
  : include(icl.options.data, icl.options.training, icl.options.runtime)
  : default { dataset = "mnist", epochs = 2, batch_size = 20 } : parse(arg)
local train, _, test = icl.data.open(opt)
local nn = icl.nn
local model = nn.sequential(nn.flatten(), nn.linear(train.shape[1] * train.shape[2], 10))
local optimizer = icl.optim.sgd(model)
local loader = icl.data.loader(train, { global_batch_size = 20, training = true })
local own = icl.metrics.class_accuracy { classes = 10 }
local run = icl.run { epochs = opt.epochs, output = opt.output, keep = { model = model, optimizer = optimizer } }
for epoch in run:epochs() do
  own:reset()
  for batch in run:batches(loader) do
    local logits = model(batch.image)
    local loss = icl.loss.cross_entropy(logits, batch.target)
    own:update(logits, batch.target)
    loss:backward()
    optimizer:step(0.1)
    run:log { loss = loss, top1 = icl.metrics.accuracy(logits, batch.target) }
    if epoch == 1 and run.step == 2 then assert(run:save()) end
  end
  run:report { train = run.average, test = icl.evaluate(model, test, { metrics = {
    f1 = icl.metrics.f1 { classes = 10 }, two = function(l, t) return icl.metrics.accuracy(l, t, 2) end } }) }
end
print(table.concat(own:value(), " "), icl.distributed.sum(1))
"""


@on_the_cpu
def a_loop_of_ones_own_is_that_of_one_process():
  with Place() as place:
    recipe = place.write("own.lua", OWN)
    words = [recipe, "--data", place.data, "--output"]
    outputs = all_end_well(start_all(2, *words, place / "two"))
    alone = success(run(*words, place / "one", env=environment(ICL_THREADS="1")))
    values = alone.splitlines()[-1].split("\t")[0]
    for output in outputs:
      equal(output.splitlines()[-1], f"{values}\t2.0")
    for own, other in zip(reports(place / "two")[:2], reports(place / "one")[:2]):
      for part in ("train", "test"):
        equal(sorted(own[part]), sorted(other[part]))
        for name, value in own[part].items():
          assert abs(value - other[part][name]) < 1e-6, (name, own, other)


@on_the_cpu
def op_by_op_and_in_other_precisions_it_is_the_same_training():
  with Place() as place:
    for number, more in enumerate((["--eager"], ["--precision", "bf16"], ["--device", "ref", "--precision", "f16"])):
      words = ["--epochs", "1", "--global-batch-size", "24", *more]
      all_end_well(start_all(2, *place.words(f"two{number}", *words)))
      success(run(*place.words(f"one{number}", "--epochs", "1", "--batch-size", "24", "--subdivision", "2", *more),
                  env=environment(ICL_THREADS="1")))
      equal(differing(states(place / f"two{number}"), states(place / f"one{number}"), is_statistic), [], str(more))


# ---- who tells and writes ----


@on_the_cpu
def process_0_writes_and_tells():
  with Place() as place:
    outputs = all_end_well(start_all(2, *place.words("run", "--epochs", "1")))
    contains(outputs[0], "by torchrun", "Processes: 2 on 1 machine; a batch has 48 images, 24 of each at most",
             "Epoch 1")
    equal(outputs[1], "")
    lacks(" ".join(os.listdir(place / "run")), "log.1.txt")


@on_the_cpu
def processes_that_were_started_in_different_ways_are_told_so():
  with Place() as place:
    port = str(free_port())
    common = place.words("run", "--world-size", "2", "--master", f"127.0.0.1:{port}")
    processes = [subprocess.Popen([ICL, *common, "--rank", str(rank), "--base-lr", rate], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
                 for rank, rate in ((0, "0.1"), (1, "0.2"))]
    for code, _, errors in end_all(processes):
      equal(code, 1, errors)
      contains(errors, "--base-lr differs between processes: it is 0.1 in process 0 and 0.2 in process 1")


@on_the_cpu
def a_number_of_processes_that_are_not_there_is_a_wrong_command_line():
  with Place() as place:
    errors = failure(run(*place.words("run", "--world-size", "4")), 2)
    contains(errors, "--world-size 4: there is one process", "icl launch -n 4")
    contains(failure(run(*place.words("run", "--rank", "1")), 2), "--rank 1 means nothing without --world-size")


# ---- ends ----


def wait_for_step(process, least):
  for line in process.stdout:
    if line.startswith("step ") and int(line[5:]) >= least:
      return
  raise AssertionError(process.stderr.read())


def long_run(place, *more):
  return place.words("run", "--epochs", "500", "--pause", "0.01", "--save-every", "5steps", *more)


@test
def a_signal_to_one_ends_all_behind_the_same_step_and_others_go_on():
  with Place() as place:
    processes = start_all(3, *long_run(place, "--global-batch-size", "24"))
    wait_for_step(processes[0], 6)
    processes[2].send_signal(signal.SIGTERM)
    ends = end_all(processes)
    equal([code for code, _, _ in ends], [-signal.SIGTERM] * 3, str(ends))
    contains(ends[0][1], "Stopped by TERM in epoch", "--resume")
    steps = [re.findall(r"^step (\d+)$", output, re.MULTILINE)[-1] for _, output, _ in ends]
    equal(len(set(steps)), 1, str(ends))
    # Two go on, then one: the images of a batch stay the same.
    words = [place.recipe, "--resume", place / "run", "--pause", "0"]
    step = reports(place / "run")[-1]["step"]
    last = str(step // 4 + 2)
    outputs = all_end_well(start_all(2, *words, "--epochs", last))
    contains(outputs[0], "begun by 3 processes and goes on with 2", "the same images")
    output = success(run(*words, "--epochs", str(int(last) + 1)))
    contains(output, "begun by 2 processes and goes on with 1")
    equal(reports(place / "run")[-2]["step"], 4 * (int(last) + 1))


@on_the_cpu
def with_another_number_of_processes_the_images_come_in_the_same_order():
  with Place() as place:
    all_end_well(start_all(2, *place.words("run", "--sync-bn", "--batch-size", "12", "--epochs", "1", "--base-lr",
                                           "0.01")))
    for count, name in ((1, "alone"), (3, "three"), (2, "again")):
      words = [place.recipe, "--resume", place / "run", "--output", place / name, "--epochs", "2"]
      all_end_well(start_all(count, *words))
    own = reports(place / "again")[-2]["train"]
    for name in ("alone", "three"):
      other = reports(place / name)[-2]["train"]
      assert abs(own["loss"] - other["loss"]) < 1e-5, (own, other)


def check_faulty(place, processes, lost, seconds, *texts):
  """All but the lost one end in time and name it; what was saved last is whole."""
  begin = time.monotonic()
  others = [process for rank, process in enumerate(processes) if rank != lost]
  ends = end_all(others)
  passed = time.monotonic() - begin
  assert passed < seconds, f"it took {passed} s"
  for code, output, errors in ends:
    equal(code, 1, output + errors)
    contains(errors, f"rank {lost} on {socket.gethostname()}", *texts)
  for rank in range(len(processes)):
    name = os.path.join(place / "run", f"log.{rank}.txt")
    if rank not in (0, lost) and os.path.isdir(place / "run"):
      contains(read_bytes(name).decode(), f"rank {lost} on")


@on_a_device
def one_that_dies_while_others_wait_on_the_device_ends_all():
  with Place() as place:
    for name, call in (("first", 1), ("later", 61)):  # the later one is of a graph
      words = place.words(name, "--epochs", "50", "--save-every", "5steps", "--sync-bn")
      processes = start_all(3, *words, variables={"CUDASIM_LOST": f"1:{call}"})
      check_faulty(place, processes, 1, 30)
      equal(end_all([processes[1]])[0][0], -signal.SIGKILL)
    assert states(place / "later"), "no state"


@test
def one_that_dies_at_any_moment_ends_all_and_leaves_the_state_whole():
  draw = random.Random(7)
  with Place() as place:
    for turn in range(2 if DEVICE else 6):
      processes = start_all(THREE, *long_run(place, "--resume" if turn else "--seed", place / "run" if turn else "0"))
      wait_for_step(processes[0], 6)
      time.sleep(draw.random() * 0.5)
      lost = draw.randrange(THREE)
      processes[lost].kill()
      check_faulty(place, processes, lost, 30)
      processes[lost].communicate()
      assert states(place / "run"), "no state"


STEPS = """
local icl = require "icl"
local rank = tonumber(os.getenv "RANK")
icl.distributed.init { rank = rank, size = 2, address = "127.0.0.1:" .. os.getenv "MASTER_PORT" }
local w = icl.state({ 0.5, -0.5 }, { trainable = true })
local function step(factor)
  return pcall(icl.step, function()
    (w:read() * icl.tensor { factor, 1 }):exp():sum():backward()
    w:write(w:read() - w.grad * 0.1)
  end)
end
for _ = 1, 4 do assert(step(1)) end
local before = w:read():bytes()
local fine, why = step(rank == 1 and 0 / 0 or 1)
print(fine, why, w:read():bytes() == before, require "icl.core".configured().device)
"""


@on_a_device
def where_one_fails_in_a_step_none_stores_it():
  with Place() as place:
    recipe = place.write("steps.lua", STEPS)
    ends = end_all(start_all(2, "--check-nan", "--device", DEVICE, recipe))
    for rank, (code, output, errors) in enumerate(ends):
      equal(code, 0, output + errors)
      contains(output, "false\t", "made a NaN", f"\ttrue\t{DEVICE}:{rank}\n")
    contains(ends[0][1], "rank 1 on ")


@on_a_device
def processes_need_a_device_each_of_one_kind_and_its_library():
  with Place() as place:
    for code, output, errors in end_all(start_all(2, *place.words("run", "--device", DEVICE + ":0"))):
      equal(code, 1, output + errors)
      contains(errors, f"cuda: ranks 0 and 1 on {socket.gethostname()} share a GPU")
    processes = start_all(2, *place.words("run"), own=[[], ["--device", "cpu"]])
    for code, output, errors in end_all(processes):
      equal(code, 1, output + errors)
      contains(errors, "devices of one kind", " has cuda, rank 1 on ", " has cpu")
    for library in ("libcudnn.so.9", "libcublas.so.13"):
      os.symlink(os.path.join(os.environ["ICL_CUDA_LIBRARIES"], library), place / library)
    variables = {"ICL_CUDA_LIBRARIES": place.path}
    success(run(*place.words("alone", "--epochs", "1"), env=environment(**variables)))
    for code, output, errors in end_all(start_all(2, *place.words("run"), variables=variables)):
      equal(code, 1, output + errors)
      contains(errors, "libnccl.so.2 was not found", "install NCCL 2")


@on_the_cpu
def one_that_stops_is_told_of():
  with Place() as place:
    processes = start_all(2, *long_run(place))
    wait_for_step(processes[0], 6)
    processes[1].send_signal(signal.SIGSTOP)
    try:
      check_faulty(place, processes, 1, 30)
    finally:
      processes[1].kill()
      processes[1].communicate()


@on_the_cpu
def a_signal_in_an_evaluation_ends_all():
  with Place() as place:
    recipe = place.write("slow.lua", NET.replace("icl.fit {", """
  local forward = model.forward
  function model:forward(x)
    if not self.training then
      local till = os.clock() + 0.05
      while os.clock() < till do end
      io.stdout:write("evaluates\\n")
      io.stdout:flush()
    end
    return forward(self, x)
  end
  icl.fit {"""))
    processes = start_all(2, recipe, "--data", place.data, "--output", place / "run", "--eval-batch-size", "1")
    for line in processes[0].stdout:
      if line.startswith("Options"):
        break
    for _ in range(5):
      contains(processes[1].stdout.readline(), "evaluates")
    processes[1].send_signal(signal.SIGTERM)
    ends = end_all(processes)
    equal([code for code, _, _ in ends], [-signal.SIGTERM] * 2, str(ends))
    contains(ends[0][1], "Stopped by TERM in epoch 1")
    outputs = all_end_well(start_all(2, place.recipe, "--resume", place / "run", "--resume-anyway"))
    contains(outputs[0], "Epoch 1", "Epoch 2")


@on_the_cpu
def a_loss_that_is_not_finite_stops_all():
  with Place() as place:
    ends = end_all(start_all(2, *place.words("run", "--base-lr", "1e30")))
    for code, output, errors in ends:
      equal(code, 1, output + errors)
      contains(errors, "the loss is")


@on_the_cpu
def parameters_that_drift_apart_are_noticed():
  with Place() as place:
    own = OWN.replace("optimizer:step(", "optimizer:step((1 + icl.distributed.rank()) * ")
    recipe = place.write("drifting.lua", own)
    ends = end_all(start_all(2, recipe, "--data", place.data, "--output", place / "run"))
    for code, output, errors in ends:
      equal(code, 1, output + errors)
      contains(errors, " differs between process 0 and process 1 behind epoch 1: they were updated in different ways")


@test
def an_error_in_one_is_told_by_all():
  with Place() as place:
    recipe = place.write("broken.lua", NET.replace("if opt.pause > 0", """
  if icl.distributed.rank() == 1 and run.step == 3 then error "out of paper" end
  if opt.pause > 0"""))
    place.recipe = recipe
    ends = end_all(start_all(2, *place.words("run")))
    for code, output, errors in ends:
      equal(code, 1, output + errors)
      contains(errors, "out of paper")
    contains(ends[0][2], "rank 1 on ")
    contains(read_bytes(place / "run/log.1.txt").decode(), "out of paper")


close()
