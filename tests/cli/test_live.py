"""The prompt over a run: Ctrl-C at a terminal, in a recipe of one's own."""

import os
import signal
import time

from harness import Terminal, close, contains, environment, equal, folder, run, success, tensors, test, write_mnist

# A loop of one's own, in which Ctrl-C comes in the step that STOP names.
LOOP = """
local icl = require "icl"
local opt = icl.options "a loop of one's own"
  : include(icl.options.data, icl.options.training, icl.options.runtime)
  : default { dataset = "mnist", epochs = 3, batch_size = 32 } : parse(arg)
local train, _, test = icl.data.open(opt)
local nn = icl.nn
local model = nn.sequential(nn.conv2d(1, 4, 3), nn.batch_norm(4), nn.relu(), nn.dropout(0.2), nn.global_avg_pool(),
                            nn.linear(4, 10))
local schedule = icl.schedule { type = "constant", base_lr = 0.01 }
local optimizer = icl.optim.sgd(model)
local loader = icl.data.loader(train, { batch_size = 32, training = true })
local run = icl.run { epochs = opt.epochs, output = opt.output, resume = opt.resume, save_every = opt.save_every,
                      keep = { model = model, optimizer = optimizer, schedule = schedule } }
local factor, stop_at = 1, tonumber(os.getenv "STOP")
local function loss_of(batch)
  return icl.loss.cross_entropy(model(batch.image), batch.target) * factor
end
for epoch in run:epochs() do
  model:train()
  for batch in run:batches(loader) do
    local loss = loss_of(batch)
    loss:backward()
    optimizer:step(schedule(run.step))
    run:log { loss = loss }
    if run.step == stop_at then io.popen("kill -INT " .. io.open("/proc/self/stat"):read "n"):close() end
  end
  run:report { train = run.average }
end
"""

# A recipe whose loop is that of icl.fit, with a name of its own for nothing but the options.
FIT = """
local icl = require "icl"
local opt = icl.options "a recipe" : include(icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { dataset = "mnist", epochs = 3, batch_size = 32, schedule = "constant", random_crop = false } : parse(arg)
local stop_at = tonumber(os.getenv "STOP")
local net = icl.nn.sequential(icl.nn.flatten(), icl.nn.linear(784, 10))
icl.fit { model = net, train = icl.data.open(opt), options = opt, on_step = function(run)
  if run.step == stop_at then io.popen("kill -INT " .. io.open("/proc/self/stat"):read "n"):close() end
end }
"""

WAITS = r"The run waits in epoch (\d+), step (\d+)\..*?\nicl> "


class place(folder):
  """A folder with a small MNIST and the loop."""

  def __enter__(self):
    super().__enter__()
    os.mkdir(self / "mnist")
    write_mnist(self / "mnist")
    self.write("loop.lua", LOOP)
    return self

  def terminal(self, *words, **more):
    return Terminal("loop.lua", "--data", "mnist", *words, cwd=self.path, env=environment(**more))

  def loop(self, *words):
    return success(run("loop.lua", "--data", "mnist", *words, cwd=self.path))

  def weights(self, name):
    return tensors(self / name + "/checkpoints/last.safetensors")


@test
def what_is_looked_at_disturbs_nothing():
  with place() as here:
    here.loop("--output", "quiet")
    with here.terminal("--output", "asked", STOP="11") as terminal:
      equal(terminal.expect(WAITS).group(2), "12")
      terminal.command("epoch", "2")
      terminal.command("factor", "1")
      terminal.command("model:eval()")
      terminal.command("icl.evaluate(model, test).count", "64")
      terminal.command("icl.random.uniform { 2 }", "0.")
      terminal.command("y = model(icl.zeros { 1, 28, 28, 1 }); y:size(2)", "10")
      terminal.command("nonsense", "there is no variable 'nonsense'")
      terminal.command("loadr", "did you mean loader")
      terminal.command("for _ in run:batches(loader) do end", "run:batches: the run waits in a loop of its own")
      terminal.command("run:save()", "true")
      terminal.send("run:continue()\n")
      equal(terminal.end(), 0)
    equal(here.weights("asked"), here.weights("quiet"))


@test
def what_was_made_at_the_prompt_stays():
  with place() as here:
    with here.terminal("--output", "asked", STOP="11") as terminal:
      terminal.expect(WAITS)
      terminal.command("probe = 5; function twice(x) return factor * x + probe end; stop_at = 20")
      terminal.send("run:continue()\n")
      equal(terminal.expect(WAITS).group(2), "21")
      terminal.command("probe, twice(2)", r"\n5\t7\n")
      terminal.send("run:stop()\n")
      equal(terminal.end(), 0)


@test
def what_is_changed_is_repeated():
  with place() as here:
    with here.terminal("--output", "whole", STOP="11") as terminal:
      terminal.expect(WAITS)
      terminal.command("factor = 2", "Changed at the prompt in step 12: factor = 2")
      terminal.command("schedule.base_lr = 0.05")
      terminal.send("\x04")
      terminal.expect("Changed at the prompt in step 12: schedule.base_lr = 0.05")
      equal(terminal.end(), 0)
    with here.terminal("--output", "cut", STOP="11") as terminal:
      terminal.expect(WAITS)
      terminal.command("factor = 2")
      terminal.command("schedule.base_lr = 0.05")
      terminal.command("run:save()", "true")
      os.kill(terminal.pid, signal.SIGKILL)
      terminal.end()
    contains(here.loop("--resume", "cut"), "Changed as at the prompt in step 12: factor = 2")
    equal(here.weights("cut"), here.weights("whole"))


@test
def what_the_run_keeps_has_its_names():
  change = "Changed at the prompt in step 12: schedule.base_lr = 0.05"
  with place() as here:
    here.write("loop.lua", FIT)
    with here.terminal("--output", "whole", "--ema", "0.9", STOP="12") as terminal:
      terminal.expect(WAITS)
      terminal.command("schedule.base_lr", r"\n0\.1\n")
      terminal.command("model == net, optimizer == run.kept.optimizer, ema == run.kept.ema", r"\ntrue\ttrue\ttrue\n")
      terminal.command("optimzer", "did you mean optimizer")
      terminal.command("optimizer = 5", "optimizer is what the run keeps under this name")
      terminal.command("schedule.base_lr = 0.05")
      terminal.send("\x04")
      terminal.expect(change)
      equal(terminal.end(), 0)
    with here.terminal("--output", "cut", "--ema", "0.9", STOP="12") as terminal:
      terminal.expect(WAITS)
      terminal.command("run.kept.schedule.base_lr = 0.05")
      terminal.send("run:stop()\n")
      terminal.expect(change)
      equal(terminal.end(), 0)
    here.loop("--resume", "cut")
    equal(here.weights("cut"), here.weights("whole"))


@test
def a_variable_of_the_recipe_counts_before_what_is_kept():
  with place() as here:
    here.write("loop.lua", LOOP.replace("local factor", "local schedule, factor").replace("factor, stop_at = 1",
               "factor, stop_at = 'mine', 1").replace("schedule(run.step)", "0.01"))
    with here.terminal(STOP="5") as terminal:
      terminal.expect(WAITS)
      terminal.command("schedule", r'\n"mine"\n')
      terminal.command("schedule = 7", "Changed at the prompt in step 6: schedule = 7")
      terminal.send("\x04")
      equal(terminal.end(), 0)


@test
def options_that_are_changed_too_late_are_told():
  with place() as here:
    here.write("loop.lua", FIT)
    with here.terminal(STOP="5") as terminal:
      terminal.expect(WAITS)
      terminal.command("opt.base_lr = 3")
      terminal.send("\x04")
      terminal.expect(r"Note: opt\.base_lr = 3: options are read when a run is set up")
      equal(terminal.end(), 0)


@test
def stopped_at_the_prompt():
  with place() as here:
    with here.terminal("--output", "a", STOP="5") as terminal:
      terminal.expect(WAITS)
      terminal.send("run:stop()\n")
      terminal.expect("Stopped at the prompt in epoch 1, step 6. `icl loop.lua --resume a` goes on.")
      equal(terminal.end(), 0)
    here.loop("--resume", "a")


@test
def stopped_at_the_prompt_with_several_seeds():
  with place() as here:
    with here.terminal("--output", "a", "--seeds", "3", STOP="5") as terminal:
      terminal.expect(WAITS)
      terminal.send("run:continue()\n")
      terminal.expect("Seed 1, 2 of 3")
      terminal.expect(WAITS)
      terminal.send("run:stop()\n")
      terminal.expect("Stopped at the prompt in epoch 1, step 6. `icl loop.lua --resume a/seed-1` goes on.")
      equal(terminal.end(), -signal.SIGINT)
      contains(terminal.new(), "loop.lua: stopped with seed 1\n")
    equal(sorted(os.listdir(here / "a")), ["seed-0", "seed-1"])


@test
def what_is_changed_before_a_stop_is_kept():
  with place() as here:
    with here.terminal("--output", "a", STOP="5") as terminal:
      terminal.expect(WAITS)
      terminal.command("factor = 3", "Changed at the prompt in step 6: factor = 3")
      terminal.send("run:stop()\n")
      equal(terminal.end(), 0)
    contains(here.loop("--resume", "a"), "Changed as at the prompt in step 6: factor = 3")


@test
def a_loop_in_a_function_or_a_coroutine():
  with place() as here:
    loop = LOOP.replace("for epoch in run", "local function work(deep)\n  local inside = deep * 2\nfor epoch in run")
    for call in ("work(21)", "coroutine.wrap(work)(21)"):
      here.write("loop.lua", loop + f"\nreturn inside\nend\n{call}\n")
      with here.terminal(STOP="5") as terminal:
        terminal.expect(WAITS)
        terminal.command("inside, deep, factor, epoch", r"\n42\t21\t1\t1\n")
        terminal.command("factor, inside = 2, 7", "inside = 7 .*factor = 2 ")
        terminal.command("factor, inside", r"\n2\t7\n")
        terminal.send("\x04")
        equal(terminal.end(), 0)


@test
def a_second_ctrl_c_stops_at_once():
  with place() as here:
    waits = "    if run.step == stop_at then print 'waits' while true do end end\n"
    here.write("loop.lua", LOOP.replace("    loss:backward()", waits + "    loss:backward()"))
    with here.terminal("--output", "a", STOP="5") as terminal:
      terminal.expect("waits")
      for _ in range(2):
        terminal.send("\x03")
        time.sleep(0.5)
      equal(terminal.end(), -signal.SIGINT)
    with open(here / "a/metrics.jsonl", encoding="utf-8") as file:
      contains(file.read(), '"state":"stopped"')


@test
def signals_at_the_prompt():
  with place() as here:
    with here.terminal("--output", "a", STOP="5") as terminal:
      terminal.expect(WAITS)
      for line in ("while true do end", "local x = 1; while true do x = x + 1 end"):
        terminal.send(f"print 'begin' {line}\n")
        terminal.expect("\nbegin\n")
        terminal.send("\x03")
        terminal.expect("stopped by INT.*?icl> ")
      os.kill(terminal.pid, signal.SIGTERM)
      terminal.expect("Stopped by TERM in epoch 1, step 6")
      equal(terminal.end(), -signal.SIGTERM)


close()
