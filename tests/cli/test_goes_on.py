"""Runs that go on in odd ways: from another place, another program, another folder, or behind an odd end."""

import json
import os
import resource
import shutil
import struct

from harness import close, contains, environment, equal, failure, folder, lacks, read_bytes, run, success, tensors, test

# A run without images: its model is changed by hand. Its figure is best in the epoch that BEST names.
SCRIPT = """
local icl = require "icl"
local opt = icl.options "a run"
  : include(icl.options.runtime) : value("epochs", 4, "their number", { may_change = true }) : parse(arg)
local model = icl.nn.linear(2, 2)
local other = icl.nn.linear(tonumber(os.getenv "WIDTH") or 2, 2)
local keep = { model = model, other = not os.getenv "ALONE" and other or nil }
for _ = 1, tonumber(os.getenv "RUNS") or 1 do
  local run = icl.run { epochs = opt.epochs, output = opt.output, resume = opt.resume, keep = keep,
                        resume_anyway = opt.resume_anyway, save_every = opt.save_every, keep_epochs = opt.keep }
  for epoch in run:epochs() do
    model.weight:write(icl.full({ 2, 2 }, epoch))
    if epoch == tonumber(os.getenv "EXIT") then os.exit(9, true) end
    if epoch == tonumber(os.getenv "FAIL") then error "as was asked for" end
    run.memory[epoch * 2] = { 0 / 0, 1.0, "\\xff", math.huge }
    run:report { test = { top1 = epoch == tonumber(os.getenv "BEST" or 1) and 1 or epoch / 10 } }
  end
  local last = run.memory[run.epoch * 2]
  if last then print("remembered", last[1] ~= last[1], math.type(last[2]), #last[3], last[4]) end
end
"""


# A run whose loops are over other loaders in each epoch: VARY says how. It ends in loop LOOP of epoch EXIT.
VARYING = """
local icl = require "icl"
local opt = icl.options "varying" : include(icl.options.runtime) : parse(arg)
local exit_at, exit_in, vary = tonumber(os.getenv "EXIT"), tonumber(os.getenv "LOOP"), os.getenv "VARY"
local function made(count, batch_size)
  local set = icl.data.set { images = icl.zeros({ count, 2, 2, 1 }, "u8"), labels = icl.zeros({ count }, "i64"),
                             classes = 2, mean = { 0 }, std = { 1 } }
  return icl.data.loader(set, { batch_size = batch_size, training = true })
end
local model = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(4, 2) }
local optimizer, run = icl.optim.sgd(model), icl.run { options = opt, epochs = 4, model = model }
local ready = { made(tonumber(os.getenv "COUNT") or 8, 4), made(16, 4), made(16, 8), made(24, 8) }
for epoch in run:epochs() do
  local second = vary == "made" and made(8 * epoch, 4) or vary == "chosen" and ready[epoch] or ready[1]
  for number, loader in ipairs { ready[1], second } do
    for batch in run:batches(loader) do
      if epoch == exit_at and number == exit_in then os.exit(9, true) end
      icl.loss.cross_entropy(model(batch.image), batch.target):backward()
      optimizer:step(0.1)
    end
  end
end
print(("%.9g"):format(model[2].weight:read():sum():item()))
"""


class place(folder):
  """A folder with the script."""

  def __enter__(self):
    super().__enter__()
    self.write("script.lua", SCRIPT)
    return self

  def icl(self, *words, cwd=".", before=None, **more):
    return run(*words, cwd=self / cwd, env=environment(ICL_RUNS="runs", **more), before=before)

  def script(self, *words, **more):
    return self.icl("script.lua", *words, **more)

  def checkpoints(self, name):
    return sorted(os.listdir(self / name + "/checkpoints"))

  def epoch_of(self, path):
    """The epoch whose weights a file has."""
    content = read_bytes(self / path)
    header = json.loads(content[8:8 + struct.unpack("<Q", content[:8])[0]])
    first = next(value["data_offsets"][0] for name, value in header.items() if name.split(".")[-1] == "weight")
    return struct.unpack("<f", tensors(self / path)[first:first + 4])[0]

  def lines(self, name):
    with open(self / name + "/metrics.jsonl", encoding="utf-8") as file:
      return [json.loads(line) for line in file]


def small_files():
  resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))


@test
def an_earlier_checkpoint():
  with place() as here:
    success(here.script("--output", "a", "--save-every", "1epoch", "--keep", "3", BEST="3"))
    success(here.script("--resume", "a/checkpoints/epoch-0002.safetensors", "--epochs", "3", BEST="9"))
    equal([line["epoch"] for line in here.lines("a")], [1, 2, 3, 3])
    equal(here.checkpoints("a"), [name + ".safetensors" for name in ("best", "epoch-0002", "epoch-0003", "last",
                                                                     "previous")])
    equal([here.epoch_of(f"a/checkpoints/{name}.safetensors") for name in ("last", "previous", "best")], [3, 2, 3])


@test
def the_best_of_a_future_that_is_given_up_is_not_the_best():
  with place() as here:
    success(here.script("--output", "a", "--save-every", "1epoch", BEST="3"))
    output = success(here.script("--resume", "a/checkpoints/epoch-0002.safetensors", "--epochs", "4", BEST="2"))
    lacks(output, "looked for anew")  # what it goes on from is the best
    equal(here.epoch_of("a/weights.safetensors"), 4)


@test
def another_folder_gets_the_best():
  with place() as here:
    success(here.script("--output", "a", "--epochs", "2"))
    success(here.script("--resume", "a", "--output", "b", "--epochs", "3"))
    equal(here.epoch_of("b/weights.safetensors"), 1)
    os.remove(here / "a/checkpoints/best.safetensors")
    contains(success(here.script("--resume", "a", "--output", "c", "--epochs", "3")), "looked for anew")
    equal(here.epoch_of("c/weights.safetensors"), 3)


@test
def a_save_that_ended_before_its_second_name():
  with place() as here:
    success(here.script("--output", "a", "--epochs", "2", BEST="2"))
    older = here / "a/checkpoints/best.safetensors"
    os.remove(older)
    success(here.script("--resume", "a"))
    equal(here.epoch_of("a/checkpoints/best.safetensors"), 2)


@test
def a_best_state_that_cannot_be_written_is_a_warning():
  with place() as here:
    wide = {"WIDTH": "5000", "BEST": "2"}
    here.script("--output", "a", "--epochs", "3", EXIT="3", **wide)
    os.remove(here / "a/checkpoints/best.safetensors")
    result = here.script("--resume", "a", before=small_files, **wide)
    contains(failure(result), "the end of the run could not be saved")
    contains(result.stdout + result.stderr, "Warning: the best state could not be saved: ", "best.safetensors: cannot",
             "The training goes on, and the best is looked for anew")
    equal([line["epoch"] for line in here.lines("a") if "state" not in line], [1, 2, 3])
    success(here.script("--resume", "a", **wide))
    equal(here.epoch_of("a/checkpoints/best.safetensors"), 2)


@test
def where_an_older_state_cannot_become_the_last_nothing_is_cut():
  with place() as here:
    success(here.script("--output", "a", "--epochs", "3", "--save-every", "1epoch", WIDTH="5000"))
    lines, checkpoints = here.lines("a"), here.checkpoints("a")
    result = here.script("--resume", "a/checkpoints/epoch-0001.safetensors", before=small_files, WIDTH="5000")
    contains(failure(result), "last.safetensors: cannot write")
    equal(here.lines("a"), lines)
    equal(here.checkpoints("a"), checkpoints)
    equal(here.epoch_of("a/checkpoints/last.safetensors"), 3)


@test
def a_run_that_cannot_begin_leaves_no_folder():
  with place() as here:
    def no_files():
      resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
    for words in (("--output", "new/a"), ()):
      contains(failure(here.script(*words, before=no_files), 2), "--output: ", "env.txt")
    equal([os.listdir(here / name) for name in ("new", "runs/script")], [[], []])
    success(here.script("--output", "new/a"))


@test
def a_damaged_last_does_not_become_the_previous():
  with place() as here:
    success(here.script("--output", "a", "--epochs", "2", "--save-every", "1epoch"))
    with open(here / "a/checkpoints/last.safetensors", "r+b") as file:
      file.truncate(50)
    contains(success(here.script("--resume", "a", "--epochs", "1")), "previous.safetensors is used")
    equal(here.epoch_of("a/checkpoints/last.safetensors"), 1)


@test
def a_run_whose_last_states_are_gone_does_not_begin_anew():
  with place() as here:
    def refused(*parts):
      before = here.lines("a")
      errors = failure(here.script("--resume", "a"))
      contains(errors, *parts)
      equal(here.lines("a"), before)
      return errors

    success(here.script("--output", "a", "--epochs", "3", "--save-every", "1epoch", BEST="1"))
    for name in ("last", "previous"):  # which are the files of epochs 3 and 2, too
      with open(here / f"a/checkpoints/{name}.safetensors", "r+b") as file:
        file.truncate(50)
    goes_on = "--resume a/checkpoints/best.safetensors or a/checkpoints/epoch-0001.safetensors goes on from an older"
    refused("last.safetensors: it is cut", "previous.safetensors: it is cut", goes_on)
    for name in ("last", "previous"):
      os.remove(here / f"a/checkpoints/{name}.safetensors")
    refused("there is neither last.safetensors nor previous.safetensors in a/checkpoints", goes_on)
    success(here.script("--resume", "a/checkpoints/best.safetensors", "--epochs", "1"))
    shutil.rmtree(here / "a/checkpoints")
    lacks(refused("--weights a/weights.safetensors"), "checkpoints/best")
    os.remove(here / "a/weights.safetensors")
    refused("wrote reports up to epoch 1", "begins anew when a/metrics.jsonl is moved away")
    os.remove(here / "a/metrics.jsonl")
    contains(success(here.script("--resume", "a")), "it begins anew")


@test
def a_report_before_the_first_save_does_not_keep_a_run_from_beginning_anew():
  with place() as here:
    success(here.script("--output", "a", "--epochs", "1"))
    report = read_bytes(here / "a/metrics.jsonl").splitlines()[0]
    shutil.rmtree(here / "a/checkpoints")
    os.remove(here / "a/weights.safetensors")
    here.write("a/metrics.jsonl", report + b"\n")
    contains(success(here.script("--resume", "a")), "it begins anew")


@test
def a_run_that_could_never_be_saved_begins_anew():
  with place() as here:
    failure(here.script("--output", "a", before=small_files, WIDTH="5000"))
    equal(here.lines("a")[-1]["unsaved"], True)
    contains(success(here.script("--resume", "a", WIDTH="5000")), "it begins anew")
    lacks(json.dumps(here.lines("a")), "unsaved")


@test
def options_that_a_run_goes_on_with_stay():
  with place() as here:
    equal(here.script("--output", "a", "--epochs", "2").returncode, 0)
    equal(here.script("--resume", "a", "--epochs", "4", "--save-every", "1epoch", FAIL="4").returncode, 1)
    success(here.script("--resume", "a"))
    equal(here.lines("a")[-1]["epoch"], 4)
    contains(read_bytes(here / "a/options.lua").decode(), "epochs = 4,", '"--epochs", "2"')


@test
def paths():
  with place() as here:
    success(here.script("--output", "a/", "--epochs", "1"))
    success(here.script("--resume", "a/", "--output", "a", "--epochs", "2"))
    for where, path in (("a", "."), ("a", "checkpoints/last.safetensors"), ("a/checkpoints", "last.safetensors"),
                        (".", "./a//checkpoints/last.safetensors")):
      contains(success(here.icl(here / "script.lua", "--resume", path, cwd=where)), "Goes on from")
    os.rename(here / "a/checkpoints/last.safetensors", here / "alone.safetensors")
    contains(failure(here.script("--resume", "alone.safetensors"), 2), "lies in no folder of a run")
    os.symlink("a", here / "link")
    os.rename(here / "alone.safetensors", here / "a/checkpoints/last.safetensors")
    contains(success(here.script("--resume", "link")), "Goes on from link/")


@test
def numbers_of_runs_are_numbers():
  with place() as here:
    os.makedirs(here / "runs/script/999")
    for _ in range(2):
      equal(here.script("--save-every", "1epoch", FAIL="2").returncode, 1)
    equal(sorted(os.listdir(here / "runs/script")), ["1000", "1001", "999"])
    contains(success(here.script("--resume")), "Goes on from runs/script/1001/")


@test
def what_does_not_fit():
  with place() as here:
    success(here.script("--output", "a", "--epochs", "1"))
    text = failure(here.script("--resume", "a", WIDTH="3"), 2)
    contains(text, "weight: (2, 2) in the file, (3, 2) in other", "--resume-anyway loads what fits")
    contains(failure(here.script("--resume", "a", ALONE="1"), 2), "it holds other, and keep has none")
    contains(success(here.script("--resume", "a", "--resume-anyway", ALONE="1")), "Note: goes on although it differs")
    contains(failure(here.script("--resume", "a", "--seeds", "2"), 2), "--seeds means nothing with --resume")
    here.write("other.lua", SCRIPT)
    contains(failure(here.icl("other.lua", "--resume", "a"), 2), "the run in a is one of script.lua")


@test
def a_damaged_state_of_another_version():
  with place() as here:
    success(here.script("--output", "a", "--epochs", "1"))
    path = here / "a/checkpoints/last.safetensors"
    success(here.icl("-e", """local core, json = require "icl.core", require "icl.json"
      local list, metadata = core.safetensors_read(arg[1])
      local about = core.json_decode(metadata.icl)
      about.version = 2
      core.safetensors_write(arg[1], list, { icl = json.encode(about), checksum = "crc32" })""", path))
    contains(failure(here.script("--resume", "a")), "whose checkpoints are of version 2, and this icl reads version 1: "
             "go on with that one, or begin anew with its weights, --weights a/checkpoints/last.safetensors")


@test
def several_runs_in_a_program():
  with place() as here:
    success(here.script("--epochs", "1", RUNS="2"))
    equal(sorted(os.listdir(here / "runs/script")), ["001", "002"])
    text = failure(here.script("--resume", "runs/script/001", "--epochs", "2", RUNS="2"), 2)
    contains(text, "it is run 1 of its program, and this is run 2. ")
    contains(failure(here.script("--output", "a", RUNS="2"), 2), "a is there and not empty")


@test
def a_program_that_ends_in_its_loop():
  with place() as here:
    equal(here.script("--output", "a", "--save-every", "1epoch", EXIT="3").returncode, 9)
    equal([line.get("state") for line in here.lines("a")], [None, None, "stopped"])
    contains(success(here.script("--resume", "a")), "epoch 2, step 0", "Epoch 3 ", "Epoch 4 ")


@test
def an_error_and_what_is_remembered():
  with place() as here:
    contains(failure(here.script("--output", "a", "--save-every", "1epoch", FAIL="3")), "as was asked for")
    equal(here.lines("a")[-1]["state"], "failed")
    contains(success(here.script("--resume", "a", "--epochs", "2")), "remembered\ttrue\tfloat\t1\tinf")


@test
def programs_in_no_file():
  with place() as here:
    code = """local icl = require "icl"
      local run = icl.run { output = "", keep = { model = icl.nn.linear(1, 1) } }
      for epoch in run:epochs() do end"""
    success(run("-", stdin=code, cwd=here.path, env=environment(ICL_RUNS="runs")))
    success(here.icl("-e", code))
    equal(sorted(os.listdir(here / "runs")), ["code", "stdin"])
    contains(failure(here.icl("runs/code/001/options.lua")), "came from the command line")
    contains(failure(here.icl("runs/stdin/001/options.lua")), "came from standard input")


@test
def a_loop_outside_of_epochs():
  with place() as here:
    code = """local set = icl.data.set { images = icl.zeros({ 4, 2, 2, 1 }):cast "u8",
        labels = icl.zeros({ 4 }):cast "i64", classes = 2, mean = { 0 }, std = { 1 } }
      local run = icl.run { output = "a", keep = { model = icl.nn.linear(1, 1) } }
      for _ in run:batches(icl.data.loader(set, { batch_size = 2, training = true })) do end"""
    contains(failure(here.icl("-e", code)), "trains in the loop over run:epochs()")


@test
def loaders_may_vary_from_epoch_to_epoch():
  with place() as here:
    here.write("varying.lua", VARYING)
    ends = ((3, 1, "1epoch"), (3, 2, "1step"), (4, 1, "1step"))  # of epoch 2 nobody knows yet that it may vary
    for vary, more in (("made", ((2, 1, "1step"), (2, 2, "1epoch"))), ("chosen", ())):
      whole = success(here.icl("varying.lua", "--output", "none", VARY=vary))
      for epoch, loop, every in ends + more:
        name = f"{vary}-{epoch}-{loop}"
        ended = here.icl("varying.lua", "--output", name, "--save-every", every, VARY=vary, EXIT=str(epoch),
                         LOOP=str(loop))
        equal(ended.returncode, 9, ended.stderr)
        output = success(here.icl("varying.lua", "--resume", name, VARY=vary))
        contains(output, "Goes on from")
        equal(output.splitlines()[-1], whole.splitlines()[-1], name)


@test
def loaders_that_varied_may_vary_however_often_a_run_goes_on():
  with place() as here:
    here.write("varying.lua", VARYING)
    whole = success(here.icl("varying.lua", "--output", "none", VARY="chosen"))
    words = ("--output", "a", "--save-every", "1step")
    for epoch, loop in ((3, 1), (3, 2), (4, 2)):
      equal(here.icl("varying.lua", *words, VARY="chosen", EXIT=str(epoch), LOOP=str(loop)).returncode, 9)
      words = ("--resume", "a", "--save-every", "1step")
    equal(success(here.icl("varying.lua", *words, VARY="chosen")).splitlines()[-1], whole.splitlines()[-1])


@test
def loaders_that_did_not_vary_must_not():
  with place() as here:
    here.write("varying.lua", VARYING)
    for loop in ("1", "2"):
      name = "fixed-" + loop
      equal(here.icl("varying.lua", "--output", name, "--save-every", "1step", EXIT="3", LOOP=loop).returncode, 9)
      contains(failure(here.icl("varying.lua", "--resume", name, COUNT="12"), 2), "images of loop 1 was 8 and is 12")


# A training that thaws a layer behind epoch 2, with a loss that learns a temperature; it ends in step STEP. With OWN
# its optimizer and metric cannot be kept.
THAWING = """
local icl = require "icl"
local nn = icl.nn
local opt = icl.options "thawing" : include(icl.options.data, icl.options.training, icl.options.runtime) : parse(arg)
local images, labels = {}, {}
for i = 1, 32 do images[i], labels[i] = { { { 7 * i }, { i * i % 97 } } }, i % 3 end
local set = icl.data.set { images = icl.tensor(images, { dtype = "u8" }), classes = 3, mean = { 0.5 }, std = { 0.3 },
                           labels = icl.tensor(labels, { dtype = "i64" }) }
local model = nn.sequential { nn.flatten(), nn.linear(2, 5), nn.relu(), nn.linear(5, 3) }
local Loss = nn.layer "tempered"
function Loss:init() self:parameter("temperature", 1.5) end
function Loss:forward(logits, target) return icl.loss.cross_entropy(logits / self.temperature, target) end
local loss, own = Loss(), os.getenv "OWN"
model[2]:freeze()
local optimizer = icl.optim.sgd { { name = "model", parameters = model:named_parameters() },
                                  { name = "loss", parameters = loss:named_parameters() } }
local metric = { update = function() end, value = function() return 1 end, reset = function() end }
function metric:clone() return self end
local result = icl.fit {
  model = model, train = set, test = set, options = opt, loss = loss,
  optimizer = own and { step = function(_, rate) optimizer:step(rate) end } or optimizer,
  metrics = own and { own = metric },
  on_step = function(run) if run.step == tonumber(os.getenv "STEP") then error "as was asked for" end end,
  on_epoch = function(run) if run.epoch == 2 then model[2]:freeze(false) end end,
}
print(("%.9g %.9g %s"):format(result.test.loss, loss.temperature:item(), model[2].weight.trainable))
"""


@test
def what_is_trained_goes_on():
  with place() as here:
    here.write("thawing.lua", THAWING)
    words = ("thawing.lua", "--epochs", "4", "--batch-size", "8")
    whole = success(here.icl(*words, "--output", "none")).splitlines()[-1]
    for step in (7, 9, 14):
      name = f"at-{step}"
      ended = here.icl(*words, "--output", name, "--save-every", "1step", STEP=str(step))
      contains(failure(ended, 1), "as was asked for")
      output = success(here.icl("thawing.lua", "--resume", name))
      contains(output, "Goes on from")
      lacks(output, "Warning")
      equal(output.splitlines()[-1], whole, name)
      lacks(read_bytes(here / name + "/weights.safetensors").decode("latin1"), '\\"frozen\\"')
    failure(here.icl(*words, "--output", "other", "--save-every", "1step", STEP="9"), 1)
    output = success(here.icl("thawing.lua", "--resume", "other", "--seed", "1", "--resume-anyway"))
    contains(output, "goes on although it differs")
    equal(output.split()[-1], "true")


@test
def a_last_epoch_that_was_set_goes_on():
  with place() as here:
    here.write("early.lua", """local icl = require "icl"
      local opt = icl.options "early" : value("epochs", 5, "passes", { may_change = true })
        : include(icl.options.runtime) : parse(arg)
      local run = icl.run { options = opt }
      for epoch in run:epochs() do
        print("epoch", epoch)
        if epoch == 1 then run.last_epoch = 3 end
        if epoch == 2 and os.getenv "EXIT" then os.exit(9) end
      end""")
    equal(here.icl("early.lua", "--output", "a", "--save-every", "1epochs", EXIT="1").returncode, 9)
    output = success(here.icl("early.lua", "--resume", "a"))
    contains(output, "epoch\t2", "epoch\t3")
    lacks(output, "epoch\t1", "epoch\t4")
    lacks(success(here.icl("early.lua", "--resume", "a")), "epoch\t")
    contains(success(here.icl("early.lua", "--resume", "a", "--epochs", "6")), "epoch\t4", "epoch\t6")


@test
def an_early_end_that_fails_is_told():
  with place() as here:
    code = """local run = require "icl".run { epochs = 3, output = "a" }
      for _ in run:epochs() do
        run.memory.f = print
        break
      end"""
    contains(failure(here.icl("-e", code)), "run.memory.f is a function")
    equal(here.lines("a")[-1]["state"], "failed")


@test
def another_figure_that_is_to_decide_is_missed():
  with place() as here:
    here.write("judged.lua", """local icl = require "icl"
      local opt = icl.options "judged" : include(icl.options.runtime) : parse(arg)
      local run = icl.run { options = opt, epochs = tonumber(os.getenv "EPOCHS"), best = os.getenv "BEST" }
      for _ in run:epochs() do
        if os.getenv "SET" then run:report { [os.getenv "SET"] = { top1 = 0.5 } } end
      end""")
    success(here.icl("judged.lua", "--output", "a", EPOCHS="1", BEST="val.top1", SET="val"))
    output = success(here.icl("judged.lua", "--resume", "a", EPOCHS="2", BEST="test.f1", SET="val"))
    contains(output, "Warning: test.f1 was to decide which state is the best, and was in no report: the best by "
                     "val.top1 counts")
    output = success(here.icl("judged.lua", "--resume", "a", EPOCHS="3", BEST="test.f1", SET="test"))
    contains(output, "Warning: test.f1 is to decide which state is the best, but the report has test.top1")


@test
def what_cannot_be_kept_is_told():
  with place() as here:
    here.write("thawing.lua", THAWING)
    words = ("thawing.lua", "--epochs", "1", "--batch-size", "8", "--output")
    output = success(here.icl(*words, "a", OWN="1"))
    contains(output, "Warning: the optimizer has no named_states(), so that checkpoints lack what it remembers",
             "Warning: the metric own has no named_states()")
    lacks(success(here.icl(*words, "none", OWN="1")), "Warning")


@test
def the_model_is_kept_under_its_name():
  with place() as here:
    here.write("kept.lua", """local icl = require "icl"
      local opt = icl.options "x" : include(icl.options.runtime) : parse(arg)
      local m = icl.nn.linear(1, 1)
      local o = icl.optim.sgd(m, { momentum = 0.9 })
      local how = { { model = m, keep = { m = m, o = o } }, { model = m, keep = { o = o } }, { model = m },
                    { keep = { m = m, o = o } } }
      local given = how[tonumber(os.getenv "HOW")]
      given.options = opt
      local run = icl.run(given)
      for epoch in run:epochs() do end""")
    for how in ("1", "2", "3"):
      output = success(here.icl("kept.lua", "--output", how, HOW=how))
      lacks(output, "weights.safetensors")
      assert os.path.exists(here / how + "/weights.safetensors")
      contains(success(here.icl("kept.lua", "--resume", how, HOW=how)), "Goes on from")
    for path in ("1/", "~/1"):
      code = f"print(#require 'icl'.nn.linear(1, 1):load('{path}').missing)"
      equal(success(here.icl("-e", code, HOME=here.path)), "0\n")
    contains(success(here.icl("kept.lua", "--output", "4", HOW="4")), "Note: there will be no weights.safetensors")
    assert not os.path.exists(here / "4/weights.safetensors")


# A training with a plateau that is evaluated before it begins; TERM comes where AT says: in the first evaluation, or
# behind epoch 2.
SIGNALLED = """
local icl = require "icl"
local opt = icl.options "signalled" : include(icl.options.data, icl.options.training, icl.options.runtime) : parse(arg)
local images, labels = {}, {}
for i = 1, 32 do images[i], labels[i] = { { { 7 * i }, { i * i % 97 } } }, i % 3 end
local set = icl.data.set { images = icl.tensor(images, { dtype = "u8" }), classes = 3, mean = { 0.5 }, std = { 0.3 },
                           labels = icl.tensor(labels, { dtype = "i64" }) }
local model = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(2, 3) }
local function stop(at)
  if os.getenv "AT" == at then io.popen("kill -TERM " .. io.open("/proc/self/stat"):read "n"):close() end
end
icl.fit {
  model = model, train = set, test = set, options = opt,
  metrics = { at = function()
    if not model.training then stop "first" end
    return 0
  end },
  on_epoch = function(run) if run.epoch == 2 then stop "behind" end end,
}
print(("%.9g"):format(model[2].weight:read():abs():sum():item()))
"""


@test
def a_signal_between_two_loops_repeats_nothing():
  with place() as here:
    here.write("signalled.lua", SIGNALLED)
    words = ("signalled.lua", "--epochs", "6", "--batch-size", "8", "--val-first", "--schedule", "plateau",
             "--plateau-patience", "0", "--plateau-threshold", "1", "--output")
    whole = success(here.icl(*words, "whole"))
    for at in ("first", "behind"):
      contains(here.icl(*words, at, AT=at).stdout, "Stopped by TERM")
      equal(success(here.icl("signalled.lua", "--resume", at)).splitlines()[-1], whole.splitlines()[-1], at)
      equal([line.get("lr") for line in here.lines(at)], [line.get("lr") for line in here.lines("whole")], at)


@test
def weights_of_an_end_that_is_none_any_more():
  with place() as here:
    success(here.script("--output", "a", "--epochs", "1", BEST="9"))
    assert os.path.exists(here / "a/weights.safetensors")
    equal(here.script("--resume", "a", "--epochs", "4", BEST="2", EXIT="4").returncode, 9)
    assert not os.path.exists(here / "a/weights.safetensors")
    equal(here.epoch_of("a/checkpoints/best.safetensors"), 2)
    success(here.script("--resume", "a", "--epochs", "4", BEST="2"))
    equal(here.epoch_of("a/weights.safetensors"), 2)


@test
def a_damaged_best_state_is_not_taken_for_the_weights():
  with place() as here:
    success(here.script("--output", "a", "--epochs", "2", BEST="1"))
    path = here / "a/checkpoints/best.safetensors"
    content = read_bytes(path)
    with open(path, "wb") as file:
      file.write(content[:-4] + b"\xff" * 4)
    output = success(here.script("--resume", "a", "--epochs", "3", BEST="1"))
    contains(output, "no file has the weights of the best test.top1")
    equal(here.epoch_of("a/weights.safetensors"), 3)


KEEPING = """
local icl = require "icl"
local settings = { best = math.huge, least = -math.huge, list = {} }
local thing = { settings = function(_, given)
  if given and os.getenv "REFUSE" then error "my own fault" end
  settings = given or settings
  return not os.getenv "NUMBER" and settings or 5
end }
local run = icl.run { epochs = tonumber(arg[2]), output = arg[1] ~= "" and arg[1] or nil, resume = arg[3],
                      keep = { thing = thing } }
if arg[3] then
  print("kept", settings.best, settings.least, #settings.list, run.memory.packed.n, run.memory.packed[3])
end
for epoch in run:epochs() do
  run.memory.packed = table.pack(0.5, nil, epoch)
  if os.getenv "MEMORY" then run.memory = load("return " .. os.getenv "MEMORY")() end
  run:report { train = { loss = 1 } }
end
"""


@test
def what_cannot_be_kept_is_named_where_it_is_saved():
  with place() as here:
    here.write("keeping.lua", KEEPING)
    success(here.icl("keeping.lua", "a", "1"))
    contains(success(here.icl("keeping.lua", "", "2", "a")), "\t".join(["kept", "inf", "-inf", "0", "3", "1"]))
    contains(failure(here.icl("keeping.lua", "", "3", "a", REFUSE="1")), "thing:settings() does not take",
             "my own fault")
    for name, value, message in (("MEMORY", "0.5", "run.memory is 0.5; it must be a table"),
                                 ("MEMORY", "nil", "run.memory is nil; it must be a table"),
                                 ("NUMBER", "1", "thing:settings() is 5; it must be a table")):
      contains(failure(here.icl("keeping.lua", "b" + value, "1", **{name: value})), message)


@test
def the_home_folder_in_variables_and_words():
  with place() as here:
    os.mkdir(here / "home")
    home = {"HOME": here / "home"}
    success(run("script.lua", "--epochs", "3", "--save-every", "1epoch", "--keep", "1", cwd=here.path,
                env=environment(ICL_RUNS="~/runs", **home)))
    equal(here.checkpoints("home/runs/script/001"), ["best.safetensors", "epoch-0003.safetensors", "last.safetensors",
                                                     "previous.safetensors"])
    equal(len(here.lines("home/runs/script/001")), 4)
    here.write("again.lua", """
      local icl = require "icl"
      local read = icl.runs.read "~/runs/script/001"
      print(read.state, read.epoch)
      local run = icl.run { output = "~/other" }
      for _ in run:epochs() do run:report { train = { loss = 1 } } end""")
    equal(success(run("again.lua", cwd=here.path, env=environment(**home))).split()[:2], ["finished", "3"])
    equal(len(here.lines("home/other")), 2)


close()
