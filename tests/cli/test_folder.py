"""Training on a folder of one's own images: what works, and what is said where something is wrong."""

import os
import signal
import time

from harness import (PATIENCE, ROOT, close, contains, equal, failure, folder, lacks, run, start, success, test, wait_for,
                     write_image_folder, write_png_rows)

RECIPE = os.path.join(ROOT, "recipes", "resnet.lua")
SMALL = ["--dataset", "imagenet", "--image-size", "32", "--eval-resize", "36", "--n-blocks", "1,1,1,1",
         "--initial-channels", "4", "--batch-size", "4", "--schedule", "cosine", "--threads", "2"]


@test
def a_recipe_trains_on_a_folder():
  with folder() as here:
    data = write_image_folder(here.path)
    lines = []
    for workers in ("1", "3"):
      output = success(run(RECIPE, *SMALL, "--data", data, "--epochs", "1", "--workers", workers))
      contains(output, "Epoch 1 lr", "Test loss", "Test error")
      lines.append(output[output.index("\nEpoch"):].split(" Elapsed")[0])
    equal(lines[0], lines[1])
    success(run(RECIPE, *SMALL, "--data", data, "--epochs", "1", "--no-random-crop", "--cutmix", "--subdivision", "2"))


@test
def photos_of_ones_own_begin_with_a_small_head():
  with folder() as here:
    data = write_image_folder(here.path)
    small = [word if word != "imagenet" else "folder" for word in SMALL]
    small += ["--data", data, "--epochs", "1", "--base-lr", "0", "--batch-size", "12"]
    def loss(*options):
      output = success(run(RECIPE, *small, *options))
      return float(output.split("Epoch 1 ")[1].split("loss ")[1].split()[0])
    assert loss() < 1.3, loss()
    equal(loss("--head-init", "default"), loss())
    assert loss("--head-init", "published") > 2.0, loss("--head-init", "published")


@test
def batch_norm_of_one_value_is_refused_before_the_first_step():
  with folder() as here:
    arguments = [*SMALL, "--data", write_image_folder(here.path)]
    result = run(RECIPE, *arguments, "--batch-size", "11", "--no-drop-last")
    contains(failure(result, 2), "batch norm stage4.block1.bn1", "12 images, --batch-size 11", "--drop-last off")
    equal(result.stdout, "")
    contains(failure(run(RECIPE, *arguments, "--subdivision", "4"), 2), "--subdivision 4")
    success(run(RECIPE, *arguments, "--epochs", "1", "--batch-size", "11"))


@test
def small_forms_on_a_folder():
  with folder() as here:
    data = write_image_folder(here.path)
    small = [word for word in SMALL if word not in ("--n-blocks", "1,1,1,1")]
    success(run(RECIPE, *small, "--type", "cifar", "--depth", "8", "--data", data, "--epochs", "1"))
    contains(failure(run(RECIPE, *small, "--depth", "8", "--data", data), 2), "--depth 8 is impossible with --type "
             "imagenet", "18, 34, 50", "--n-blocks makes others")
    contains(failure(run(RECIPE, *SMALL, "--depth", "18", "--data", data), 2), "--depth and --n-blocks both say")
    contains(failure(run(os.path.join(ROOT, "recipes", "wrn.lua"), *small, "--data", data), 2),
             "wrn has no form imagenet", "--type cifar")


@test
def missing_folders_are_told_with_the_layout():
  with folder() as here:
    contains(failure(run(RECIPE, "--dataset", "imagenet"), 2), "--data DIR", "DIR/train/CLASS/NAME.jpg")
    contains(failure(run(RECIPE, *SMALL, "--data", here / "none")), "none/train: No such file", "folder for each class")
    data = write_image_folder(here.path)
    os.mkdir(os.path.join(data, "train", "empty"))
    contains(failure(run(RECIPE, *SMALL, "--data", data)), "train/empty: no image is in the folder of this class")


@test
def broken_images_are_named_before_the_first_step():
  with folder() as here:
    data = write_image_folder(here.path)
    path = os.path.join(data, "val", "dog", "1.png")
    with open(path, "r+b") as file:
      file.truncate(300)
    result = run(RECIPE, *SMALL, "--data", data, "--epochs", "1")
    contains(failure(result), "val: 1 of 6 images cannot be read", path + ": it is cut", "remove the file")
    lacks(result.stdout, "Epoch 1")
    output = success(run(RECIPE, *SMALL, "--data", data, "--epochs", "1", "--skip-bad-images"))
    contains(output, "Left out of the validation folder, since they cannot be read: 1", path, "Epoch 1")


@test
def sets_at_another_level_are_told():
  with folder() as here:
    data = write_image_folder(here.path)
    os.mkdir(here / "outer")
    os.rename(here / "train", here / "outer/train")
    os.rename(here / "val", here / "outer/val")
    contains(failure(run(RECIPE, *SMALL, "--data", data)), "train: No such file",
             "it is one level further down: " + here / "outer/train")
    os.mkdir(here / "outer/train/photos")
    for name in ("cat", "dog"):
      os.rename(here / f"outer/train/{name}", here / f"outer/train/photos/{name}")
    contains(failure(run(RECIPE, *SMALL, "--data", here / "outer")), "its only folder is photos",
             here / "outer/train/photos, one level down")


@test
def an_interrupt_stops_it():
  with folder() as here:
    data = write_image_folder(here.path)
    with start(RECIPE, *SMALL, "--data", data, "--epochs", "100000") as process:
      process.stdout.readline()
      time.sleep(0.1)
      process.send_signal(signal.SIGINT)
      output, messages = process.communicate(timeout=120)
      equal(process.returncode, -signal.SIGINT, output + messages)
      contains(messages, "stopped by INT")


def large_pictures(where, count):
  """A folder of two classes with `count` pictures of which each takes a good part of a second to decode."""
  side = 5000
  write_png_rows(where / "large.png", side, side, (b"\0" + b"\x55" * (3 * side)) * side)
  for part, number in (("train", count), ("val", 2)):
    for name in ("cat", "dog"):
      os.makedirs(where / f"{part}/{name}")
      for turn in range(number // 2):
        os.link(where / "large.png", where / f"{part}/{name}/{turn}.png")
  return where.path


@test
def an_interrupt_while_images_are_decoded():
  with folder() as here, folder() as many:
    data = large_pictures(here, 4)
    train = (RECIPE, "--depth", "8", "--type", "cifar", "--dataset", "folder", "--image-size", "16", "--data", data,
             "--batch-size", "4", "--epochs", "1000")
    for words, begins in (
      ((*train, "--output", here / "run"), "Options that differ"),
      ((*train, "--output", here / "again"), "Options that differ"),
      (("-e", "print 'begins' io.stdout:flush() while true do icl.image.read(arg[1]) end", here / "large.png"),
       "begins"),
      (("data", "stats", large_pictures(many, 400)), None),
    ):
      process = start(*words)
      if begins:
        wait_for(begins, process)
      time.sleep(0.2 if begins else 0.5)
      process.send_signal(signal.SIGINT)
      if here / "again" in words:  # the first one waits for the end of the step
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
      output, messages = process.communicate(timeout=PATIENCE)
      equal(process.returncode, -signal.SIGINT, output + messages)
      contains((output + messages).lower(), "stopped by int")
    contains(success(run(*train, "--resume", here / "run", "--epochs", "1")), "Epoch 1 ")


close()
