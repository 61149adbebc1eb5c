"""--seeds: a recipe with several seeds, each in a process of its own, and what they say together."""

import os
import re
import signal
import sys

from harness import (ROOT, Terminal, close, contains, environment, equal, failure, folder, lacks, run, start, success,
                     test, wait_for, write_mnist)

# A recipe whose figure is 10 + its seed, and that does what BODY says before.
RECIPE = """local icl = require "icl"
local opt = icl.options "Seeds" : value("seed", 0, "") : value("output", "", "", { type = "path" }) : parse(arg)
io.stdout:write("seed ", opt.seed, " output [", opt.output, "]\\n"):flush()
%s
require "icl.internal.outcome".tell("Test error", 10 + opt.seed)
"""


def recipe(here, body=""):
  return here.write("recipe.lua", RECIPE % body)


@test
def a_recipe_trains_with_each_seed():
  with folder() as here:
    arguments = [os.path.join(ROOT, "recipes", "resnet_preact.lua"), "--data", write_mnist(here.path, 64, 16),
                 "--dataset", "fashion_mnist", "--depth", "8", "--initial-channels", "4", "--batch-size", "32",
                 "--schedule", "cosine", "--epochs", "1"]
    output = success(run("--threads", "1", *arguments, "--seeds", "1,7"))
    errors = re.findall(r"Test error ([0-9.]+) %\n", output)
    contains(output, "Seed 1, 1 of 2\n", "\nSeed 7, 2 of 2\n", "1 threads", "seed 7\n",
             f"Test error in % of 2 seeds: {errors[0]} {errors[1]}; mean ")
    alone = success(run("--threads", "1", *arguments, "--seed", "7"))
    epoch = re.search(r"Epoch 1 .*? Elapsed", alone).group(0)
    contains(output, epoch)


@test
def the_figures_of_all_seeds_are_summed_up():
  with folder() as here:
    output = success(run(recipe(here), "--seeds", "3"))
    contains(output, "seed 0 output []\n", "seed 1 ", "seed 2 ")
    equal(output.splitlines()[-1], "Test error in % of 3 seeds: 10.00 11.00 12.00; mean 11.00, standard deviation "
                                   "1.00, 95 % interval 8.52 to 13.48")
    output = success(run(recipe(here), "--seeds=1"))
    equal(output.splitlines()[-1], "Test error in % of 1 seed: 10.00; mean 10.00")
    contains(success(run(recipe(here, "os.exit(0, true)"), "--seeds", "2")), "\nno seed ended with a figure\n")


@test
def a_loop_of_ones_own_reports_its_figure():
  with folder() as here:
    body = """local run = icl.run { epochs = 2 }
      for epoch in run:epochs() do
        run:report { test = { top1 = 0.5 + 0.1 * opt.seed + 0.05 * epoch }, val = { top1 = 0 } }
      end
      os.exit(0, true)"""
    output = success(run(recipe(here, body), "--seeds", "2"))
    contains(output, "Test error in % of 2 seeds: 40.00 30.00; mean 35.00")


@test
def each_seed_has_its_output_folder():
  with folder() as here:
    output = success(run(recipe(here), "--output", "a/b", "--seeds", "4,2"))
    contains(output, "seed 4 output [a/b/seed-4]\n", "seed 2 output [a/b/seed-2]\n")
    contains(success(run(recipe(here), "--output", "none", "--seeds", "1")), "output [none]\n")


@test
def processes_of_mpi_are_started_for_one_seed():
  with folder() as here:
    env = environment(OMPI_COMM_WORLD_RANK="0", OMPI_COMM_WORLD_SIZE="2", OMPI_COMM_WORLD_LOCAL_RANK="0",
                      OMPI_COMM_WORLD_LOCAL_SIZE="2")
    contains(failure(run(recipe(here), "--seeds", "2", env=env), 2), "--seeds", "launch it once for each seed")


@test
def a_seed_that_fails_does_not_stop_the_others():
  with folder() as here:
    result = run(recipe(here, "if opt.seed == 1 then error 'too large' end"), "--seeds", "3")
    contains(failure(result, 1), "too large", "recipe.lua: failed with seed 1\n")
    contains(result.stdout, "seed 2 ", "Test error in % of 2 seeds: 10.00 12.00; mean 11.00")
    result = run(recipe(here, "if opt.seed < 2 then os.exit(opt.seed + 3) end"), "--seeds", "2")
    contains(failure(result, 3), "failed with seed 0, 1\n")
    lacks(result.stdout, "in %")
    result = run(recipe(here, "if opt.seed == 0 then os.execute 'kill -9 $PPID' end"), "--seeds", "2")
    contains(failure(result, 1), "Seed 0 was ended by signal 9\n", "failed with seed 0\n")
    contains(result.stdout, "of 1 seed: 11.00")


@test
def a_wrong_command_line_stops_all():
  with folder() as here:
    path = recipe(here)
    result = run(os.path.join(ROOT, "recipes", "resnet_preact.lua"), "--depth", "9", "--data",
                 write_mnist(here.path, 64, 16), "--dataset", "fashion_mnist", "--seeds", "2")
    contains(failure(result, 2), "--depth 9 is impossible")
    lacks(result.stdout, "2 of 2")
    for arguments, part in ((["--seeds", "2", "--sed", "1"], "did you mean --seed"),
                            (["--seeds", "2", "--seed", "1"], "--seed and --seeds exclude each other"),
                            (["--seeds", "x"], "--seeds x: it must be how many")):
      result = run(path, *arguments)
      contains(failure(result, 2), part)
      equal(result.stdout, "")
    result = run("-", "--seeds", "2", stdin=RECIPE % "")
    contains(failure(result, 2), "takes a recipe in a file")


@test
def a_seed_that_was_stopped_stops_all():
  with folder() as here:
    result = run(recipe(here, "if opt.seed > 0 then os.exit(opt.seed < 3 and 3 or 130) end"), "--seeds", "5")
    contains(failure(result, -signal.SIGINT), "recipe.lua: failed with seed 1, 2; stopped with seed 3\n")
    contains(result.stdout, "Test error in % of 1 seed: 10.00")
    lacks(result.stdout, "Seed 4")


@test
def signals_are_handed_on_and_stop_all():
  with folder() as here:
    path = recipe(here, "while true do end")
    for number, name in ((signal.SIGINT, "INT"), (signal.SIGTERM, "TERM")):
      process = start(path, "--seeds", "3")
      while "seed 0 output" not in process.stdout.readline():
        pass
      process.send_signal(number)
      output, errors = process.communicate(timeout=120)
      equal(process.returncode, -number, errors)
      contains(errors, f"stopped by {name}")
      lacks(output, "Seed 1")


@test
def a_run_says_once_that_it_was_stopped():
  with folder() as here:
    write_mnist(here.path)
    for more in ((), ("--seeds", "2")):
      process = start(os.path.join(ROOT, "recipes", "resnet.lua"), "--depth", "8", "--dataset", "mnist", "--data",
                      here.path, "--epochs", "1000", "--output", here / f"run{len(more)}", *more)
      wait_for("Epoch 1 ", process)
      process.send_signal(signal.SIGINT)
      output, errors = process.communicate(timeout=120)
      equal(process.returncode, -signal.SIGINT, errors)
      equal((output + errors).count("INT"), 1, output + errors)


@test
def ctrl_c_at_a_terminal_stops_all():
  with folder() as here:
    with Terminal(recipe(here, "while true do end"), "--seeds", "2", env=environment()) as terminal:
      terminal.expect("seed 0 output")
      terminal.send("\x03")
      terminal.expect("stopped by INT")
      equal(terminal.end(), -signal.SIGINT)
      lacks(terminal.text, "Seed 1")


@test
def what_a_terminal_sends_comes_once():
  with folder() as here:
    here.write("count.py", """import os, select, signal, time
from_handler, to_main = os.pipe()
os.set_blocking(to_main, False)
signal.set_wakeup_fd(to_main)
signal.signal(signal.SIGINT, lambda *_: None)
print("ready", flush=True)
os.read(from_handler, 1)
time.sleep(0.3)
more = os.read(from_handler, 9) if select.select([from_handler], [], [], 0)[0] else b""
print("signals:", 1 + len(more))
""")
    code = f"require 'icl.core'.spawn {{ '{sys.executable}', 'count.py' }}"
    with Terminal("-e", code, env=environment(), cwd=here.path) as terminal:
      terminal.expect("ready")
      terminal.send("\x03")
      equal(terminal.expect(r"signals: (\d+)").group(1), "1")
      equal(terminal.end(), 0)


close()
