"""Recipes: their options, a few steps of training on a small set, and the same seed giving the same bytes."""

import glob
import os
import re

from harness import (ROOT, Terminal, close, contains, environment, equal, failure, folder, lacks, read_bytes, run,
                     success, test, write_mnist)

RECIPE = os.path.join(ROOT, "recipes", "resnet_preact.lua")

# What every run here has in common: a small network, few images, two epochs.
SMALL = ["--dataset", "fashion_mnist", "--depth", "8", "--initial-channels", "4", "--batch-size", "32",
         "--epochs", "2", "--schedule", "cosine"]


def recipes():
  return sorted(glob.glob(os.path.join(ROOT, "recipes", "*.lua")))


# ---- options ----


@test
def help_lists_the_options_of_every_recipe():
  for recipe in recipes():
    text = success(run(recipe, "--help"))
    contains(text, "--dataset", "--epochs", "--seed", "--preset", "--list-presets", "default")
    equal(success(run(recipe, "-h")), text)
  contains(success(run(RECIPE, "--help")), "examples:")


@test
def presets_are_listed_and_can_be_chosen():
  for recipe in recipes():
    listed = success(run(recipe, "--list-presets"))
    names = [line.split()[0] for line in listed.splitlines() if not line.startswith(" ")]
    assert names, recipe
    success(run(recipe, "--preset", names[-1], "--help"))
  contains(failure(run(RECIPE, "--preset", "quikstart"), 2), "quikstart", "did you mean quickstart")


@test
def wrong_options_are_told_with_what_was_meant():
  for arguments, parts in (
      (["--epoch", "3"], ["--epoch", "did you mean --epochs"]),
      (["--epochs", "three"], ["--epochs three", "integer"]),
      (["--epochs", "0"], ["--epochs 0", "at least 1"]),
      (["--epochs"], ["--epochs", "value"]),
      (["--schedule", "cosin"], ["--schedule cosin", "did you mean cosine"]),
      (["--dataset", "fashion_minst"], ["did you mean fashion_mnist"]),
      (["epochs"], ["epochs"]),
      (["--nesterov=no"], ["--nesterov"]),
      (["--mixup", "--cutmix"], ["--mixup and --cutmix exclude each other"]),
      (["--ricap", "--dual-cutout"], ["--dual-cutout and --ricap exclude each other"]),
      (["--mixup", "--mixup-alpha", "0"], ["--mixup-alpha 0", "at least"]),
      (["--cutout-size", "0"], ["--cutout-size 0", "at least 1"]),
      (["--cutout-prob", "2"], ["--cutout-prob 2", "at most 1"]),
      (["--random-erasing", "--random-erasing-area", "0.4,0.02"], ["--random-erasing-area must be two numbers"]),
      (["--cut-out"], ["did you mean --cutout"]),
  ):
    result = run(RECIPE, *arguments)
    contains(failure(result, 2), *parts)
    equal(result.stdout, "")


# ---- training ----


def train(data, *options, recipe=RECIPE):
  """Trains; -> all that was printed."""
  return success(run(recipe, "--data", data, *SMALL, *options))


def epochs(output):
  """What each line "Epoch 1 lr 0.2 loss 2.1 ..." says, as a table of numbers."""
  return [{name: float(value) for name, value in re.findall(r"([\w@]+) (-?[\d.]+)", line)}
          for line in output.splitlines() if line.startswith("Epoch")]


@test
def a_recipe_trains_and_says_so_line_by_line():
  with folder() as here:
    output = train(write_mnist(here.path))
    first, last = epochs(output)
    equal((first["Epoch"], last["Epoch"]), (1.0, 2.0))
    assert last["loss"] < first["loss"], output
    contains(output, "Test error")
    lacks(output, "\r", "\x1b")


@test
def other_ways_to_compute_the_same():
  with folder() as here:
    data = write_mnist(here.path, 96, 32)
    loss = epochs(train(data))[-1]["loss"]
    for tolerance, options in ((1e-3, ["--threads", "1"]), (1e-3, ["--eager"]), (1e-3, ["--check-nan"]),
                               (0.1, ["--precision", "bf16"])):
      other = epochs(train(data, *options))[-1]["loss"]
      assert abs(other - loss) <= tolerance, (options, other, loss)


@test
def a_profile_is_printed():
  with folder() as here:
    result = run(RECIPE, "--data", write_mnist(here.path, 64, 32), *SMALL, "--profile")
    contains(success(result) + result.stderr, "conv2d")
    equal(result.stderr.count("\ncpu: ") + result.stderr.startswith("cpu: "), 1)


SAVING = """local icl = require "icl"
local opt = icl.options "saves its weights"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { schedule = "cosine" }
  : value("to", "", "file for the weights")
  : parse(arg)
local train, test = icl.data.open(opt)
local model = icl.models.build("resnet_preact", opt, train)
icl.fit { model = model, train = train, test = test, options = opt }
model:save(opt.to)
"""


@test
def the_same_seed_gives_the_same_bytes():
  with folder() as here:
    data, recipe = write_mnist(here.path), here.write("saves.lua", SAVING)

    def trained(name, *options):
      output = train(data, "--to", here / name, *options, recipe=recipe)
      return output.splitlines()[-1], read_bytes(here / name)

    first = trained("first")
    equal(trained("second"), first)
    other = trained("third", "--seed", "1")
    assert other[1] != first[1], "the seed has no effect"


@test
def images_are_augmented_as_asked():
  with folder() as here:
    data = write_mnist(here.path, 64, 32)
    plain = epochs(train(data))[-1]["loss"]
    for options in (["--cutout", "--cutout-size", "8"], ["--random-erasing", "--random-erasing-prob", "1"], ["--mixup"],
                    ["--cutmix"], ["--ricap", "--no-random-crop"], ["--crop-padding-mode", "reflect"],
                    ["--dual-cutout", "--subdivision", "2"], ["--mixup", "--precision", "bf16"],
                    ["--ricap", "--eager", "--subdivision", "3"]):
      output = train(data, *options)
      assert epochs(output)[-1]["loss"] != plain, options
      equal(train(data, *options).splitlines()[-1], output.splitlines()[-1])
    same = [epochs(train(data, "--mixup", *options))[-1]["loss"] for options in ([], ["--threads", "1"], ["--eager"])]
    assert max(same) - min(same) < 1e-3, same


# The least network of each recipe.
THIN = ["--depth", "8", "--initial-channels", "4"]
LEAST = {
    "batch_size.lua": THIN,
    "densenet.lua": ["--depth", "10", "--growth-rate", "4"],
    "fashion_mnist.lua": THIN + ["--model", "shake_shake"],
    "ghost_batch.lua": THIN + ["--subdivision", "2"],
    "kmnist.lua": THIN + ["--model", "pyramidnet", "--alpha", "9"],
    "lars.lua": THIN,
    "learning_rate.lua": THIN,
    "long_training.lua": THIN,
    "mnist.lua": THIN,
    "precision.lua": THIN + ["--precision", "bf16"],
    "pyramidnet.lua": ["--depth", "11", "--alpha", "9"],
    "regularization.lua": THIN,
    "resnet.lua": THIN,
    "resnet_preact.lua": THIN,
    "residual_unit.lua": THIN,
    "resnext.lua": ["--depth", "11", "--initial-channels", "4", "--cardinality", "2", "--base-channels", "4"],
    "se_resnet_preact.lua": ["--depth", "8", "--initial-channels", "4", "--se-reduction", "2"],
    "shake_shake.lua": THIN,
    "vgg.lua": ["--n-channels", "4,8", "--n-layers", "1,1"],
    "weight_decay.lua": THIN,
    "wrn.lua": ["--depth", "10", "--initial-channels", "4", "--widening-factor", "1"],
}


@test
def every_recipe_runs_a_few_steps():
  with folder() as here:
    data = write_mnist(here.path, 32, 16)
    for recipe in recipes():
      name = os.path.basename(recipe)
      assert name in LEAST, f"LEAST has no entry for {name}"
      output = success(run(recipe, "--data", data, "--dataset", "fashion_mnist", "--epochs", "1", "--batch-size", "16",
                           "--schedule", "cosine", *LEAST[name]))
      contains(output, "Epoch 1 ", "Test error")


@test
def every_optimizer_trains():
  with folder() as here:
    data = write_mnist(here.path, 320, 16)
    for name in ("sgd", "lars", "adam", "amsgrad", "adabound", "adaboundw"):
      rate = "0.05" if name == "sgd" else "0.005"
      first, last = epochs(train(data, "--optimizer", name, "--base-lr", rate, "--gradient-clip", "5"))
      assert last["loss"] < first["loss"], (name, first, last)


# ---- on a terminal ----


@test
def a_terminal_shows_a_bar():
  with folder() as here:
    with Terminal(RECIPE, "--data", write_mnist(here.path), *SMALL, env=environment(), columns=90) as terminal:
      terminal.expect(r"Epoch 1/2 \[#+\.*\]")
      terminal.expect(r"Test error [\d.]+ %")
      equal(terminal.end(), 0)
      lines = [line for line in re.split(r"[\r\n]", re.sub(r"\x1b\[K", "", terminal.text)) if "[#" in line]
      assert lines and max(map(len, lines)) < 90, lines


close()
