"""Training on a folder of one's own images: what works, and what is said where something is wrong."""

import os
import signal
import time

from harness import (ROOT, close, contains, equal, failure, folder, run, start, success, test, write_image_folder)

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
      contains(output, "Epoch 1 lr", "Val loss", "Test error")
      lines.append(output.split(" Elapsed")[0])
    equal(lines[0], lines[1])
    success(run(RECIPE, *SMALL, "--data", data, "--epochs", "1", "--no-random-crop", "--cutmix", "--subdivision", "2"))


@test
def small_forms_on_a_folder():
  with folder() as here:
    data = write_image_folder(here.path)
    small = [word for word in SMALL if word not in ("--n-blocks", "1,1,1,1")]
    success(run(RECIPE, *small, "--type", "cifar", "--depth", "8", "--data", data, "--epochs", "1"))
    contains(failure(run(os.path.join(ROOT, "recipes", "wrn.lua"), *small, "--data", data)),
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
def broken_images_are_named():
  with folder() as here:
    data = write_image_folder(here.path)
    path = os.path.join(data, "val", "dog", "1.png")
    with open(path, "r+b") as file:
      file.truncate(300)
    contains(failure(run(RECIPE, *SMALL, "--data", data, "--epochs", "1")), path + ": it is cut", "remove the file")


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


close()
