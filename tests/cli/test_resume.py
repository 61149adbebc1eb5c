"""Runs that are ended and go on: what they write, how they are found, and that they end with the same bytes."""

import json
import os
import shutil
import signal
import subprocess
import time

from harness import (ICL, PATIENCE, ROOT, close, contains, environment, equal, failure, folder, lacks, read_bytes, run,
                     start, success, tensors, test, write_image_folder, write_mnist)

# A loop of one's own with mixing, subdivision, Adam, a layer frozen at first and dropout. DIE names the step in whose
# body it dies.
LOOP = """
local icl = require "icl"
local opt = icl.options "a loop of one's own"
  : include(icl.options.data, icl.options.training, icl.options.runtime)
  : default { dataset = "mnist", epochs = 3, batch_size = 32 } : parse(arg)
local train, _, test = icl.data.open(opt)
local nn, augment = icl.nn, icl.augment
local model = nn.sequential(nn.conv2d(1, 4, 3), nn.batch_norm(4), nn.relu(), nn.dropout(0.2), nn.global_avg_pool(),
                            nn.linear(4, 10))
local optimizer = icl.optim.adam(model)
local loader = icl.data.loader(train, { batch_size = opt.batch_size, training = true, chain = augment.chain {
  augment.random_crop {}, augment.normalize {}, augment.mixup {} } })
local evaluation = icl.data.loader(test, { batch_size = 64 })
local run = icl.run { epochs = opt.epochs, output = opt.output, resume = opt.resume, resume_anyway = opt.resume_anyway,
                      save_every = opt.save_every, keep_epochs = opt.keep, model = model,
                      keep = { model = model, optimizer = optimizer } }
local die = tonumber(os.getenv "DIE")
for epoch in run:epochs() do
  for batch in run:batches(loader) do
    model[1]:freeze(run.step < 5)
    for _, part in ipairs(batch:chunks(2)) do
      local loss = icl.loss.cross_entropy(model(part.image), part.target) * 0.5
      loss:backward()
      run:log { loss = loss }
    end
    if run.step == die then os.exit(9) end
    optimizer:step(0.01)
  end
  local train_figures = run.average
  run.memory.losses = run.memory.losses or {}
  for batch in run:batches(evaluation) do
    local logits = model(batch.image)
    run:log { loss = icl.loss.cross_entropy(logits, batch.target), top1 = icl.metrics.accuracy(logits, batch.target) }
  end
  run.memory.losses[epoch] = train_figures.loss
  run:report { train = train_figures, test = run.average }
end
print("losses", table.concat(run.memory.losses, " "))
"""

STEPS = 8  # of an epoch


class place(folder):
  """A folder with a small MNIST and the loop; runs are written into its folder runs."""

  def __enter__(self):
    super().__enter__()
    os.mkdir(self / "mnist")
    write_mnist(self / "mnist")
    self.write("loop.lua", LOOP)
    return self

  def env(self, **more):
    return environment(ICL_RUNS="runs", **more)

  def icl(self, *words, **more):
    return run(*words, cwd=self.path, env=self.env(**more))

  def loop(self, *words, **more):
    return self.icl("loop.lua", "--data", "mnist", *words, **more)


def records(path):
  with open(os.path.join(path, "metrics.jsonl"), encoding="utf-8") as file:
    return [json.loads(line) for line in file]


def files(path):
  return sorted(os.path.relpath(os.path.join(where, name), path) for where, _, names in os.walk(path) for name in names)


@test
def what_a_run_writes():
  with place() as here:
    contains(success(here.loop("--epochs", "2")), "Epoch 1 ", "Epoch 2 ", "losses\t")
    path = here / "runs/loop/001"
    names = [name for name in files(path) if "tfevents" not in name]
    equal(names, ["checkpoints/best.safetensors", "checkpoints/last.safetensors", "checkpoints/previous.safetensors",
                  "env.txt", "log.txt", "metrics.jsonl", "options.lua", "weights.safetensors"])
    reports = records(path)
    equal([line.get("epoch") for line in reports], [1, 2, 2])
    equal(reports[2]["state"], "finished")
    equal(reports[1]["step"], 2 * STEPS)
    equal(reports[1]["steps_per_epoch"], STEPS)
    contains(read_bytes(path + "/log.txt").decode(), "Epoch 1 ", "Epoch 2 ")
    contains(read_bytes(path + "/env.txt").decode(), "command: icl loop.lua --data mnist --epochs 2", "icl 0.1.0, build ")
    contains(read_bytes(path + "/options.lua").decode(), 'recipe = "loop.lua"', "epochs = 2,")


@test
def options_run_again():
  with place() as here:
    success(here.loop("--epochs", "1", "--seed", "3"))
    success(here.icl("runs/loop/001/options.lua"))
    success(here.icl("runs/loop/001/options.lua", "--seed", "4"))
    weights = [tensors(here / f"runs/loop/00{i}/checkpoints/last.safetensors") for i in (1, 2, 3)]
    equal(weights[0] == weights[1], True)
    equal(weights[0] == weights[2], False)


@test
def options_that_run_again_give_way():
  with place() as here:
    words = ("recipes/resnet_preact.lua", "--depth", "8", "--dataset", "mnist", "--data", "mnist", "--epochs", "1",
             "--mixup", "--batch-size", "128")
    success(here.icl(*words, "--output", "mx"))
    again = lambda *more: here.icl("mx/options.lua", *more)
    for i, more in enumerate((("--no-mixup",), ("--schedule", "cosine"), ("--optimizer", "adam"), ("--no-tensorboard",),
                              ("--no-random-crop",))):
      success(again(*more, "--output", f"other{i}"))
    lacks(read_bytes(here / "other0/options.lua").decode(), "mixup_alpha", "mixup = true")
    lacks(success(again("--output", "none")), "Folder: ")
    contains(success(again("--seeds", "2", "--output", "each")), "Seed 1, 2 of 2", "Test error in % of 2 seeds")
    contains(read_bytes(here / "each/seed-1/options.lua").decode(), "seed = 1,", "mixup = true,")
    contains(success(here.icl("each/seed-1/options.lua", "--seed", "5", "--output", "none")), "seed 5\n")
    contains(failure(again("--no-mixup", "--mixup-alpha", "2"), 2), "--mixup-alpha 2.0 means nothing without --mixup")
    contains(failure(again("--seed", "1", "--seeds", "2"), 2), "--seed and --seeds exclude each other")


@test
def killed_at_every_step():
  with place() as here:
    expected = success(here.loop("--output", "whole"))[-200:].splitlines()[-1]
    for step in (0, 1, STEPS - 1, STEPS, STEPS + 3, 3 * STEPS - 1):
      shutil.rmtree(here / "cut", ignore_errors=True)
      died = here.loop("--output", "cut", "--save-every", "1step", DIE=str(step))
      equal(died.returncode, 9, died.stderr)
      output = success(here.loop("--resume", "cut"))
      if step == 0:
        contains(output, "the run in cut ended before its first save; it begins anew")
      equal(output.splitlines()[-1], expected)
      equal(tensors(here / "cut/weights.safetensors"), tensors(here / "whole/weights.safetensors"))
      equal([line["step"] for line in records(here / "cut")], [STEPS, 2 * STEPS, 3 * STEPS, 3 * STEPS])


@test
def on_another_number_of_threads():
  with place() as here:
    for name, shares in (("threads", []), ("shares", ["--shares", "3"])):
      success(here.loop("--threads", "2", *shares, "--output", name + "/whole"))
      died = here.loop("--threads", "1", *shares, "--output", name + "/cut", "--save-every", "1step", DIE="11")
      equal(died.returncode, 9, died.stderr)
      output = success(here.loop("--threads", "4", "--resume", name + "/cut"))
      whole, cut = (tensors(here / f"{name}/{way}/weights.safetensors") for way in ("whole", "cut"))
      equal(whole == cut, bool(shares))
      (lacks if shares else contains)(output, "begun with 1 shares of a batch (1 threads) and goes on with 4 (4 ")
    contains(failure(here.loop("--resume", "shares/cut", "--shares", "2"), 2), "--shares 2", "has --shares 3")
    contains(failure(here.icl("--shares", "2", "loop.lua", "--data", "mnist", "--resume", "shares/cut"), 2),
             "--shares 2", "has --shares 3")


@test
def the_newest_unfinished_run_goes_on():
  with place() as here:
    contains(failure(here.loop("--resume"), 2), "there is no unfinished run")
    here.loop(DIE="9")
    success(here.loop("--epochs", "1"))
    contains(success(here.loop("--resume")), "Goes on from runs/loop/001/checkpoints/last.safetensors: epoch ")
    contains(failure(here.loop("--resume"), 2), "there is no unfinished run")


@test
def options_of_a_run_that_goes_on():
  with place() as here:
    here.loop("--seed", "5", DIE="9")
    text = failure(here.loop("--resume", "--batch-size", "16"), 2)
    contains(text, "--batch-size 16", "has --batch-size 32", "--epochs")
    contains(success(here.loop("--resume", "--epochs", "4", "--seed", "5")), "Epoch 4 ")
    contains(success(here.loop("--resume", "runs/loop/001", "--epochs", "5")), "Epoch 5 ")
    lacks(success(here.loop("--resume", "runs/loop/001")), "Epoch", "are wanted")
    contains(success(here.loop("--resume", "runs/loop/001", "--epochs", "2")),
             "Note: 2 epochs are wanted, and it was in epoch 5 already; no other one begins")
    contains(failure(here.loop("--resume", "nowhere"), 2), "nowhere")
    contains(success(here.loop("--resume", "runs/loop/001", "--resume-anyway", "--batch-size", "16", "--epochs", "6")),
             "goes on although it differs: batch_size of loop 1 was 32 and is 16")
    with open(here / "runs/loop/001/options.lua", "r+", encoding="utf-8") as file:
      text = file.read().replace("options = {", "options = { old_thing = 5,")
      file.seek(0)
      file.write(text)
    contains(failure(here.loop("--resume", "runs/loop/001", "--epochs", "7"), 2),
             "begun by another version of this recipe: runs/loop/001/options.lua has the option old_thing")
    success(here.loop("--resume", "runs/loop/001", "--epochs", "7", "--resume-anyway"))
    contains(failure(here.loop("--resume-anyway"), 2), "--resume-anyway means nothing without --resume")


@test
def fewer_batches_than_were_done():
  with place() as here:
    here.loop("--output", "a", "--save-every", "1step", DIE="6")
    output = success(here.loop("--resume", "a", "--resume-anyway", "--batch-size", "128"))
    contains(output, "batch_size of loop 1 was 32 and is 128", "Epoch 1 ", "Epoch 3 ")


def goes_on_with_another_last_byte(name, change, expected):
  """A run is refused that goes on with another byte at the end of a file of its data."""
  with place() as here:
    here.loop("--output", "a", "--save-every", "1step", DIE="6")
    path = here / "mnist" + "/" + name
    content = bytearray(read_bytes(path))
    content[-1] = change(content[-1])
    with open(path, "wb") as file:
      file.write(content)
    contains(failure(here.loop("--resume", "a"), 2), expected, "--resume-anyway goes on")


@test
def other_labels():
  goes_on_with_another_last_byte("train-labels-idx1-ubyte", lambda label: (label + 1) % 10, "labels of loop 1 was ")


@test
def other_pixels():
  goes_on_with_another_last_byte("train-images-idx3-ubyte", lambda pixel: pixel ^ 1, "contents of loop 1 was pixels ")


@test
def what_is_refused_stays_as_it_was():
  with place() as here:
    words = ("--depth", "8", "--initial-channels", "4", "--batch-size", "64", "--dataset", "mnist", "--data", "mnist")
    recipe = os.path.join(ROOT, "recipes", "resnet_preact.lua")
    success(here.icl(recipe, *words, "--epochs", "1", "--output", "a"))
    def state():
      return files(here / "a"), read_bytes(here / "a/metrics.jsonl"), read_bytes(here / "a/log.txt")
    before, path = state(), here / "mnist/train-labels-idx1-ubyte"
    labels = read_bytes(path)
    here.write("mnist/train-labels-idx1-ubyte", labels[:-1] + bytes([(labels[-1] + 1) % 10]))
    contains(failure(here.icl(recipe, "--resume", "a", "--epochs", "2"), 2), "labels of loop 1 was ")
    equal(state(), before)
    contains(success(here.icl(recipe, "--resume", "a", "--epochs", "2", "--resume-anyway")), "Epoch 2 ")


@test
def another_folder():
  with place() as here:
    here.loop("--output", "one", DIE="9")
    before = files(here / "one")
    contains(success(here.loop("--resume", "one", "--output", "two")), "Epoch 3 ")
    equal(files(here / "one"), before)
    contains(failure(here.loop("--output", "two"), 2), "two is there and not empty", "--resume two goes on")
    contains(failure(here.loop("--output", "mnist"), 2), "mnist is there and not empty; a run needs a new or an empty")
    contains(failure(here.loop("--output", "three", "--save-every", "5"), 2), "--save-every is '5'; it is written as")
    equal(os.path.exists(here / "three"), False)
    equal(success(here.loop("--output", "none", "--epochs", "1")).count("Epoch"), 1)
    equal(os.path.exists(here / "none"), False)


@test
def damaged_checkpoints():
  with place() as here:
    here.loop("--output", "a", "--save-every", "1step", DIE="9")
    last = here / "a/checkpoints/last.safetensors"
    data = bytearray(read_bytes(last))
    data[-10] ^= 1
    with open(last, "wb") as file:
      file.write(data)
    output = success(here.loop("--resume", "a"))
    contains(output, "last.safetensors is damaged", "previous.safetensors is used")
    with open(last, "wb") as file:
      file.write(data[:1000])
    os.remove(here / "a/checkpoints/previous.safetensors")
    contains(failure(here.loop("--resume", "a", "--epochs", "9")), "last.safetensors")


@test
def checkpoints_of_epochs():
  with place() as here:
    success(here.loop("--output", "a", "--epochs", "4", "--save-every", "1epoch", "--keep", "2"))
    equal(sorted(name for name in os.listdir(here / "a/checkpoints") if "epoch" in name),
          ["epoch-0003.safetensors", "epoch-0004.safetensors"])
    contains(failure(here.loop("--keep", "2"), 2), "--keep 2 means nothing without --save-every N epochs")
    contains(failure(here.loop("--save-every", "soon"), 2), "--save-every is 'soon'", "10min")


def wait_for(condition):
  deadline = time.monotonic() + PATIENCE
  while not condition():
    assert time.monotonic() < deadline, "it does not happen"
    time.sleep(0.02)


@test
def signals():
  with place() as here:
    for name, code in (("SIGTERM", -signal.SIGTERM), ("SIGINT", -signal.SIGINT)):
      shutil.rmtree(here / "a", ignore_errors=True)
      process = start("loop.lua", "--data", "mnist", "--output", "a", "--epochs", "10000", cwd=here.path, env=here.env())
      wait_for(lambda: os.path.exists(here / "a/metrics.jsonl") and records(here / "a"))
      process.send_signal(getattr(signal, name))
      output, errors = process.communicate(timeout=PATIENCE)
      equal(process.returncode, code, output + errors)
      contains(output, f"Stopped by {name[3:]}", "`icl loop.lua --resume a` goes on")
      equal(records(here / "a")[-1]["state"], "stopped")
      step = records(here / "a")[-1]["step"]
      contains(success(here.loop("--resume", "a", "--epochs", str(step // STEPS + 1))), f"step {step}")


@test
def a_loop_that_was_left_before_the_save():
  with place() as here:
    here.write("loop.lua", LOOP.replace("    optimizer:step(0.01)\n", """
    optimizer:step(0.01)
    if run.step % 5 == 3 then break end
""").replace("  local train_figures", "  if die and epoch == 2 then os.exit(9) end\n  local train_figures"))
    success(here.loop("--output", "whole"))
    for period in ("1step", "4step", "3step"):
      equal(here.loop("--output", period, "--save-every", period, DIE="-1").returncode, 9)
      success(here.loop("--resume", period))
      equal(tensors(here / period + "/checkpoints/last.safetensors"),
            tensors(here / "whole/checkpoints/last.safetensors"))


@test
def a_reader_that_leaves():
  with place() as here:
    process = start("loop.lua", "--data", "mnist", "--output", "a", "--log-period", "1", "--epochs", "200",
                    cwd=here.path, env=here.env())
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    equal(process.wait(timeout=PATIENCE), 1, errors)
    equal(records(here / "a")[-1]["state"], "finished")
    contains(read_bytes(here / "a/log.txt").decode(),
             "Warning: standard output cannot be written: Broken pipe; the run goes on, and its lines are here", "Epoch 200 ")


# A state of 67 MB, which takes longer to write than a step to compute.
LARGE = """
local icl = require "icl"
local opt = icl.options "a large state" : include(icl.options.training, icl.options.runtime)
  : default { epochs = 1000, save_every = "1step" } : parse(arg)
local set = icl.data.set { images = icl.zeros({ 2, 32, 32, 1 }):cast "u8", labels = icl.tensor({ 0, 1 }):cast "i64",
                           classes = 2, mean = { 0 }, std = { 1 } }
local loader = icl.data.loader(set, { batch_size = 2, training = true })
local model = icl.nn.sequential(icl.nn.flatten(), icl.nn.linear(1024, 8192), icl.nn.linear(8192, 2))
local optimizer = icl.optim.sgd(model)
local run = icl.run { epochs = opt.epochs, output = opt.output, resume = opt.resume, keep = { model = model,
                      optimizer = optimizer }, save_every = opt.save_every }
for epoch in run:epochs() do
  for batch in run:batches(loader) do
    icl.loss.cross_entropy(model(batch.image), batch.target):backward()
    optimizer:step(0.01)
    if run.resumed_step and run.step > run.resumed_step then os.exit(0, true) end
  end
end
"""


@test
def term_while_a_large_state_is_saved():
  with place() as here:
    here.write("large.lua", LARGE)
    for times in (1, 2):
      where = here / f"large{times}"
      process = start("large.lua", "--output", where, cwd=here.path, env=here.env())
      checkpoints = where + "/checkpoints"
      wait_for(lambda: os.path.exists(checkpoints + "/previous.safetensors"))
      wait_for(lambda: any(name.endswith(".tmp") for name in os.listdir(checkpoints)))
      for _ in range(times):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
      output, errors = process.communicate(timeout=PATIENCE)
      equal(process.returncode, -signal.SIGTERM, output + errors)
      for name in ("last", "previous"):
        success(here.icl("-e", "assert(require('icl.core').safetensors_verify(arg[1]))",
                         f"{checkpoints}/{name}.safetensors"))
      text = success(here.icl("large.lua", "--resume", where))
      step = text[text.index(", step "):].split("\n")[0]
      if times == 1:  # it was saved before it ended
        contains(output, "Stopped by TERM in epoch", f"{step}. `icl large.lua --resume {where}` goes on.")
      equal([name for name in os.listdir(checkpoints) if name.endswith(".tmp")], [])


@test
def hup_and_usr1_save_and_go_on():
  with place() as here:
    process = start("loop.lua", "--data", "mnist", "--output", "a", "--epochs", "10000", "--save-every", "10000epochs",
                    cwd=here.path, env=here.env())
    wait_for(lambda: os.path.exists(here / "a/metrics.jsonl") and records(here / "a"))
    last = here / "a/checkpoints/last.safetensors"
    for number in (signal.SIGHUP, signal.SIGUSR1):
      before = os.stat(last).st_ino if os.path.exists(last) else 0
      process.send_signal(number)
      wait_for(lambda: os.path.exists(last) and os.stat(last).st_ino != before)
      equal(process.poll(), None)
    process.kill()
    process.communicate()


@test
def hup_and_usr1_go_on_where_nothing_is_saved():
  with place() as here:
    process = start("loop.lua", "--data", "mnist", "--output", "none", "--epochs", "10000", cwd=here.path,
                    env=here.env())
    lines = iter(process.stdout.readline, "")
    equal(any("Epoch 1 " in line for line in lines), True)
    for number, name in ((signal.SIGHUP, "HUP"), (signal.SIGUSR1, "USR1")):
      process.send_signal(number)
      equal(any(f"{name}: nothing is saved, for the run has no folder; it goes on" in line for line in lines), True)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    equal(process.returncode, -signal.SIGINT, errors)


@test
def one_process_a_folder():
  with place() as here:
    process = start("loop.lua", "--data", "mnist", "--output", "a", "--epochs", "10000", cwd=here.path, env=here.env())
    wait_for(lambda: os.path.exists(here / "a/checkpoints/last.safetensors"))
    contains(failure(here.loop("--resume", "a"), 2), "another process works in a")
    process.kill()
    process.communicate()


@test
def a_checkpoint_is_a_file_of_weights_too():
  with place() as here:
    recipe = os.path.join(ROOT, "recipes", "resnet_preact.lua")
    words = (recipe, "--dataset", "mnist", "--data", "mnist", "--depth", "8", "--initial-channels", "4", "--epochs", "1",
             "--batch-size", "64", "--eval-batch-size", "64", "--output")
    first = success(here.icl(*words, "one"))
    again = success(here.icl(*words, "two", "--weights", "one/checkpoints/last.safetensors", "--val-first"))
    equal(first.split(" Test ")[1].split(" Elapsed")[0], again.split("Epoch 0 Test ")[1].split(" Elapsed")[0].split("\n")[0])


@test
def weights_to_start_from_are_read_once():
  with place() as here:
    words = ("recipes/resnet_preact.lua", "--depth", "8", "--dataset", "mnist", "--data", "mnist", "--no-random-crop",
             "--schedule", "constant", "--save-every", "1epochs", "--epochs")
    success(here.icl(*words, "1", "--output", "first", "--seed", "5"))
    start_from = ("--weights", "first/weights.safetensors", "--output")
    last = lambda name: tensors(here / name + "/checkpoints/last.safetensors")
    success(here.icl(*words, "1", *start_from, "cut"))
    success(here.icl(*words, "2", *start_from, "whole"))
    one_epoch = last("cut")
    shutil.copytree(here / "cut", here / "bare")
    shutil.rmtree(here / "bare/checkpoints")
    for name in ("metrics.jsonl", "weights.safetensors"):
      os.remove(here / "bare/" + name)
    os.rename(here / "first", here / "moved")
    success(here.icl(words[0], "--resume", "cut", "--epochs", "2"))
    equal(last("cut") == last("whole"), True)
    contains(failure(here.icl(words[0], "--resume", "bare"), 2), "first/weights.safetensors")
    os.rename(here / "moved", here / "first")
    contains(success(here.icl(words[0], "--resume", "bare")), "ended before its first save")
    equal(last("bare") == one_epoch, True)


@test
def an_optimizer_of_another_kind_begins_anew():
  with place() as here:
    success(here.loop("--epochs", "1", "--output", "a"))
    here.write("loop.lua", LOOP.replace("icl.optim.adam(model)", "icl.optim.sgd(model)"))
    shutil.copytree(here / "a", here / "b")
    text = failure(here.loop("--epochs", "2", "--resume", "a"), 2)
    contains(text, "its optimizer is of another kind", "--resume-anyway goes on all the same")
    lacks(text, "rename")
    contains(success(here.loop("--epochs", "2", "--resume", "a", "--resume-anyway")),
             "Note: goes on although it differs: its optimizer is of another kind, so that this one begins anew", "Epoch 2 ")
    here.write("loop.lua", LOOP.replace("conv2d(1, 4, 3)", "conv2d(1, 6, 3)").replace("norm(4)", "norm(6)")
               .replace("linear(4,", "linear(6,"))
    contains(success(here.loop("--epochs", "2", "--resume", "b", "--resume-anyway")),
             "of the states of model 2 fit and 6 begin anew", "Epoch 2 ")


@test
def a_folder_whose_name_is_no_utf8():
  with place() as here:
    os.rename(here / "mnist", here / "m\udcff")
    success(here.icl("loop.lua", "--data", "m\udcff", "--epochs", "1", "--output", "a"))
    contains(success(here.icl("loop.lua", "--resume", "a", "--epochs", "2")), "Epoch 2 ")


@test
def recipes_go_on():
  with place() as here:
    recipe = os.path.join(ROOT, "recipes", "resnet_preact.lua")
    words = (recipe, "--dataset", "mnist", "--data", "mnist", "--depth", "8", "--initial-channels", "4", "--epochs", "2",
             "--batch-size", "64", "--eval-batch-size", "64", "--mixup", "--optimizer", "adam", "--base-lr", "0.001")
    success(here.icl(*words, "--output", "whole"))
    process = start(*words, "--output", "cut", "--save-every", "1step", cwd=here.path, env=here.env())
    wait_for(lambda: os.path.exists(here / "cut/checkpoints/previous.safetensors"))
    process.kill()
    process.communicate()
    contains(success(here.icl(recipe, "--resume", "cut")), "Goes on from cut", "Test error")
    equal(tensors(here / "cut/weights.safetensors"), tensors(here / "whole/weights.safetensors"))


def last_figures(path):
  return [{name: figures for name, figures in line.items() if name == "test"} for line in records(path)][-2]


@test
def a_run_whose_epochs_are_over_evaluates_once_more():
  with place() as here:
    recipe = os.path.join(ROOT, "recipes", "resnet_preact.lua")
    words = (recipe, "--dataset", "mnist", "--data", "mnist", "--depth", "8", "--initial-channels", "4", "--epochs", "2",
             "--batch-size", "32", "--no-use-test-as-val", "--val-ratio", "0.25")
    output = success(here.icl(*words, "--output", "whole"))
    figures = last_figures(here / "whole")
    contains(success(here.icl(recipe, "--resume", "whole")), output.splitlines()[-1])
    equal(last_figures(here / "whole"), figures)
    success(here.icl(recipe, "--resume", "whole", "--epochs", "3"))


@test
def image_folders_go_on():
  with place() as here:
    os.mkdir(here / "photos")
    write_image_folder(here / "photos", train=8)
    recipe = os.path.join(ROOT, "recipes", "resnet.lua")
    words = (recipe, "--dataset", "folder", "--data", "photos", "--image-size", "32", "--type", "cifar", "--depth", "8",
             "--initial-channels", "4", "--batch-size", "4", "--epochs", "2")
    success(here.icl(*words, "--output", "whole"))
    process = start(*words, "--output", "cut", "--save-every", "1step", cwd=here.path, env=here.env())
    wait_for(lambda: os.path.exists(here / "cut/checkpoints/previous.safetensors"))
    process.kill()
    process.communicate()
    success(here.icl(recipe, "--resume", "cut"))
    equal(tensors(here / "cut/weights.safetensors"), tensors(here / "whole/weights.safetensors"))


close()
