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
    contains(text, "--dataset", "--epochs", "--seed", "default")
    equal("--preset" in text, success(run(recipe, "--list-presets")) != "there are no presets\n")
    equal(success(run(recipe, "-h")), text)
  contains(success(run(RECIPE, "--help")), "examples:")


@test
def presets_are_listed_and_can_be_chosen():
  listed = success(run(RECIPE, "--list-presets"))
  names = [line.split()[0] for line in listed.splitlines() if not line.startswith(" ")]
  contains(names, "quickstart", "bottleneck164")
  for name in names:
    success(run(RECIPE, "--preset", name, "--help"))
  contains(failure(run(RECIPE, "--preset", "quikstart"), 2), "quikstart", "did you mean quickstart")


@test
def published_results_are_listed_and_can_be_chosen():
  with folder() as here:
    for recipe in recipes():
      listed = success(run(recipe, "--list-results", cwd=here.path))
      if "no published figures" in listed:
        continue
      name = re.search(r"such as --result (\S+)\n$", listed).group(1)
      success(run(recipe, "--result", name, "--help"))
      contains(success(run(recipe, "--help")), "--result ROW/COLUMN", "--list-results")
    batches = os.path.join(ROOT, "recipes", "batch_size.lua")
    contains(success(run(batches, "--list-results", cwd=here.path)),
             "batch_size  base_lr  | epochs=200  schedule=multistep  epochs=400  800\n",
             "4096        3.2      | 10.57       28.97               8.97        8.14\n")
    contains(failure(run(batches, "--result", "4096/epoch=400"), 2), "did you mean 4096/epochs=400?")
    contains(failure(run(RECIPE, "--result", "quickstart"), 2), "there is no result 'quickstart'")


@test
def a_run_with_published_settings_ends_with_what_was_published():
  with folder() as here:
    path = here.write("recipe.lua", """local icl = require "icl"
      local opt = icl.options "Small" : include(icl.options.data, icl.options.augmentation, icl.options.training,
          icl.options.runtime)
        : default { epochs = 1, batch_size = 32 }
        : results "error in %" [[
          base_lr | (mine)  (theirs)
          0.25    | 4.50    -
          0.5     | 5.25    6
        ]] : parse(arg)
      local train, val, test = icl.data.open(opt)
      local model = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(28 * 28, 10) }
      icl.fit { model = model, train = train, val = val, test = test, options = opt, hint = "The end." }""")
    data = ["--data", write_mnist(here.path, 64, 16), "--threads", "1"]
    line = "Published with these settings: 5.25 % (mine), 6 % (theirs)\nThe end.\n"
    output = success(run(path, *data, "--result", "0.5", "--seed", "4"))
    contains(output, "Result: 0.5\n", line)
    contains(success(run(path, *data, "--base-lr", "0.5", "--eval-batch-size", "16")), line)
    lacks(success(run(path, *data, "--result", "0.5", "--cutout")), "Published")
    lacks(success(run(path, *data)), "Published", "Result")


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
      (["--warmup", "linear"], ["--warmup linear means nothing without --warmup-epochs"]),
      (["--warmup-epochs", "3"], ["--warmup-epochs 3 means nothing without --warmup"]),
      (["--val-ratio", "0.1"], ["means nothing without --no-use-test-as-val"]),
      (["--no-use-test-as-val"], ["--val-ratio must say"]),
      (["--mixup-alpha", "0.5"], ["means nothing without --mixup"]),
      (["--cutout-size", "8"], ["means nothing without --cutout or --dual-cutout"]),
      (["--schedule", "cosine", "--milestones", "3"], ["means nothing without --schedule multistep"]),
      (["--T0", "3"], ["means nothing without --schedule sgdr"]),
      (["--workers", "3"], ["means nothing without --dataset imagenet or folder"]),
      (["--n-blocks", "1,1,1,1"], ["means nothing without --type imagenet"]),
      (["--expand-first-stage"], ["means nothing without --block-type bottleneck"]),
      (["--schedule", "sgdr", "--epochs", "25"], ["--T0 10", "add up to 30 epochs, not 25; choose --epochs"]),
      (["--warmup", "linear", "--warmup-epochs", "200"], ["--warmup-epochs 200 do not fit into --epochs 160"]),
      (["--milestones", "5,3"], ["--milestones must ascend"]),
      (["--threads", "100000"], ["--threads 100000: it must be at most 1024"]),
      (["--weight-decay", "1e400"], ["--weight-decay 1e400: it must be a finite number"]),
      (["--dataset", "folder"], ["--dataset folder needs --data DIR"]),
      (["--ema", "1"], ["--ema 1: it must be less than 1"]),
      (["--ema-warmup"], ["--ema-warmup means nothing without an --ema above 0"]),
      (["--tta", "flop"], ["--tta flop", "did you mean flip"]),
      (["--val-period", "0"], ["--val-period 0", "at least 1"]),
      (["--dataset", "fashion_mnist", "--weights", "/nowhere"], ["--weights: there is no file or run /nowhere"]),
      (["--dataset", "fashion_mnist", "--type", "imagenet", "--n-blocks", "1,1,1,1001"],
       ["an entry of --n-blocks is 1001; it must be an integer from 1 to 1000"]),
      (["--dataset", "fashion_mnist", "--subdivision", "200"], ["--subdivision 200 is more", "--batch-size 128"]),
  ):
    result = run(RECIPE, *arguments)
    contains(failure(result, 2), *parts)
    equal(result.stdout, "")


@test
def what_the_data_or_the_model_refuse_is_a_wrong_command_line_too():
  with folder() as here:
    data = write_mnist(here.path, 64, 16)
    vgg, wrn = (os.path.join(ROOT, "recipes", name) for name in ("vgg.lua", "wrn.lua"))
    small = ["--depth", "8", "--batch-size", "16"]
    for recipe, arguments, part in (
        (RECIPE, ["--depth", "9"], "--depth 9 is impossible with basic blocks; it must be 6n + 2"),
        (wrn, ["--depth", "9"], "wrn: --depth 9 is impossible"),
        (vgg, ["--n-layers", "1,1"], "--n-channels has 5 entries and --n-layers 2"),
        (RECIPE, ["--depth", "8", "--preact-stage", "yes"], "--preact-stage has no entry for stage 2"),
        (RECIPE, ["--depth", "11", "--block-type", "bottleneck", "--initial-channels", "2"],
         "--initial-channels is 2; with bottleneck blocks it must be at least 4"),
        (RECIPE, ["--depth", "8", "--batch-size", "65"], "64 images are not one batch of 65; give a smaller --batch-"),
        (RECIPE, ["--no-use-test-as-val", "--val-ratio", "0.01"], "--val-ratio 0.01 of 64 images is none"),
        (RECIPE, [*small, "--momentum", "0"], "--nesterov needs a --momentum above 0"),
        (RECIPE, [*small, "--optimizer", "adam", "--betas", "0.9"], "--betas must be two numbers"),
        (RECIPE, [*small, "--optimizer", "adabound", "--gamma", "0"], "--gamma is 0; it must be above"),
        (RECIPE, [*small, "--crop-padding", "40", "--crop-padding-mode", "reflect"], "--crop-padding 40 is too much"),
        (RECIPE, [*small, "--cutout", "--cutout-size", "29", "--cutout-inside"],
         "a square of --cutout-size 29 does not lie within 28 x 28 pixels; give a smaller one, or not --cutout-inside"),
    ):
      result = run(recipe, "--dataset", "fashion_mnist", "--data", data, *arguments)
      contains(failure(result, 2), part)
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
def it_begins_with_what_is_trained_and_how():
  with folder() as here:
    data = write_mnist(here.path, 64, 16)
    text = success(run(RECIPE, "--preset", "quickstart", "--data", data, "--depth", "8", "--epochs", "1", "--seed",
                       "3", "--output", here / "run"))
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Epoch"))
    contains("\n".join(lines[:first]), "Data: fashion_mnist, 64 training, 16 test images of 28 x 28 x 1, 10 classes",
             "Model: resnet_preact, 77,562 parameters", "multiply-accumulates", "cpu: ", "2 threads", "seed 3",
             f"Folder: {here / 'run'}\n",
             "Preset: quickstart", "--depth 8", "--epochs 1", "--schedule cosine", "--batch-size 64")
    lacks(text, "--momentum", "Note:")
    assert first <= 8 and max(map(len, lines[:first])) <= 120, text
    contains(text, "Next: --epochs 20")
    lacks(success(run(RECIPE, *SMALL, "--data", data, "--epochs", "20")), "Next:")


@test
def milestones_move_with_the_epochs_and_the_log_says_so():
  contains(" ".join(success(run(RECIPE, "--help")).split()), "not given, they move in proportion when --epochs is")
  with folder() as here:
    arguments = [word for word in SMALL if word not in ("--schedule", "cosine")]
    text = success(run(RECIPE, "--data", write_mnist(here.path, 64, 16), *arguments, "--epochs", "4"))
    contains(text, "milestones at 2,3 of 4 epochs, moved from 80,120 of 160")
    equal([line["lr"] for line in epochs(text)], [0.1, 0.1, 0.01, 0.001])
    text = success(run(RECIPE, "--data", here.path, *arguments, "--epochs", "2", "--milestones", "80,120"))
    equal([line["lr"] for line in epochs(text)], [0.1, 0.1])
    lacks(text, "Note")


@test
def small_rates_show_their_digits():
  with folder() as here:
    contains(train(write_mnist(here.path, 64, 16), "--base-lr", "3e-7", "--epochs", "1"), "Epoch 1 lr 1.5")
    contains(train(here.path, "--base-lr", "3e-7", "--epochs", "1", "--lr-min-factor", "1"), "Epoch 1 lr 3e-07 ")


@test
def validation_and_test_have_their_names():
  with folder() as here:
    text = train(write_mnist(here.path, 80, 16), "--no-use-test-as-val", "--val-ratio", "0.2")
    equal((text.count(" Val loss"), text.count("Test loss"), text.count("\nTest loss")), (2, 1, 1))
    contains(text, "64 training, 16 validation, 16 test images", "Validation error", "Test error")
    text = train(here.path)
    equal((text.count(" Test loss"), text.count("Val")), (2, 0))


@test
def a_data_folder_may_begin_with_the_home_folder():
  with folder() as here:
    write_mnist(here.path, 32, 16)
    success(run(RECIPE, "--data=~/", *SMALL, "--epochs", "1", env=environment(HOME=here.path)))


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
    contains(success(result) + result.stderr, "conv2d", "MB that are moved to and from memory")
    equal(result.stderr.count("\ncpu: ") + result.stderr.startswith("cpu: "), 1)


SAVING = """local icl = require "icl"
local opt = icl.options "saves its weights"
  : include(icl.models.resnet_preact.options, icl.options.data, icl.options.augmentation, icl.options.training)
  : include(icl.options.runtime)
  : default { schedule = "cosine" }
  : value("to", "", "file for the weights")
  : parse(arg)
local train, test = icl.data.open(opt)
local model = icl.models.from_options(opt, train, "resnet_preact")
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


@test
def weights_of_one_run_start_another():
  with folder() as here:
    data, recipe = write_mnist(here.path, 64, 32), here.write("saves.lua", SAVING)
    figures = re.compile(r"loss (\S+) acc@1 (\S+) acc@5 (\S+)")
    saved = train(data, "--to", here / "first", recipe=recipe).splitlines()
    again = train(data, "--weights", here / "first", "--val-first", "--to", here / "second", recipe=recipe)
    before = next(line for line in again.splitlines() if line.startswith("Epoch 0 Test"))
    last = [line for line in saved if line.startswith("Epoch")][-1]
    equal(figures.findall(before)[-1], figures.findall(last)[-1])
    result = run(recipe, *SMALL, "--data", data, "--weights", here / "first", "--initial-channels", "8", "--to",
                 here / "third")
    contains(failure(result, 2), "--weights: load: ", "of another shape")
    kept = success(run(RECIPE, *SMALL, "--data", data, "--output", here / "run")).splitlines()
    reached = [figures.findall(line)[-1] for line in kept if line.startswith("Epoch")]
    for source, expected in ((here / "run", max(reached, key=lambda found: float(found[1]))),
                             (here / "run/checkpoints/last.safetensors", reached[-1])):
      again = train(data, "--weights", source, "--val-first")
      before = next(line for line in again.splitlines() if line.startswith("Epoch 0 Test"))
      equal(figures.findall(before)[-1], expected)
    contains(failure(run(RECIPE, *SMALL, "--data", data, "--weights", here / "none"), 2),
             "--weights: there is no file or run ")


@test
def averages_and_a_flip_are_evaluated():
  with folder() as here:
    data = write_mnist(here.path, 64, 32)
    output = train(data, "--ema", "0.9", "--ema-warmup", "--tta", "flip", "--epochs", "3", "--val-period", "2")
    lines = [line for line in output.splitlines() if line.startswith("Epoch")]
    equal(["Test loss" in line for line in lines], [False, True, True])
    equal(["Test EMA loss" in line for line in lines], [False, True, True])
    assert re.search(r"\nTest error [\d.]+ %, of the average \(EMA\) [\d.]+ %\n", output), output


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
