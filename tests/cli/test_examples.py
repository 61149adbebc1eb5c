"""Examples: each is short, explains itself, and learns to tell four textures apart in a few seconds."""

import glob
import os
import re

from harness import ROOT, close, contains, folder, read_bytes, run, success, test, write_idx

FOLDER = os.path.join(ROOT, "recipes", "examples")
MOST_LINES = 60
SIZE = 28
CHANCE = 0.25

# What some need besides what all get.
OWN = {
  "conv_mixer": ["--dim", "16", "--depth", "2"],
  "distillation": ["--teacher-epochs", "3"],
  "fix_match": ["--labels", "64", "--ratio", "1", "--threshold", "0.6"],
  "fine_tuning": ["--depth", "8", "--initial-channels", "8", "--lr-scale", "0.5"],
  "vision_transformer": ["--width", "32", "--depth", "2", "--base-lr", "0.003"],
}


def bright(label, row, column):
  """Is a pixel of the texture of a class bright? Stripes, other stripes, checks, and nothing."""
  return (row // 2 % 2, column // 2 % 2, (row // 2 + column // 2) % 2, 0)[label]


def write_textures(where):
  """A set in the format of MNIST with the labels 0 to 3. Returns the folder."""
  for prefix, count in (("train", 192), ("t10k", 64)):
    images = bytearray()
    for number in range(count):
      shift = number // 4
      images += bytes(40 + 150 * bright(number % 4, row + shift, column + shift) + (number * 7 + row * column) % 30
                      for row in range(SIZE) for column in range(SIZE))
    write_idx(os.path.join(where, f"{prefix}-images-idx3-ubyte"), (count, SIZE, SIZE), bytes(images))
    write_idx(os.path.join(where, f"{prefix}-labels-idx1-ubyte"), (count,), bytes(n % 4 for n in range(count)))
  return where


def examples():
  return {os.path.basename(path)[:-4]: path for path in sorted(glob.glob(os.path.join(FOLDER, "*.lua")))}


def train(path, data, *words):
  return success(run(path, "--dataset", "fashion_mnist", "--data", data, "--batch-size", "16", "--epochs", "4",
                     "--threads", "1", *words))


@test
def examples_are_short():
  for path in examples().values():
    lines = read_bytes(path).decode().splitlines()
    assert len(lines) <= MOST_LINES, f"{path} has {len(lines)} lines"
    assert lines[0].startswith(f"-- {os.path.basename(path)}: "), lines[0]


for name, example in examples().items():
  def learns(name=name, example=example):
    with folder() as here:
      output = train(example, write_textures(here.path), *OWN.get(name, []))
      accuracy = float(re.findall(r"Test loss \S+ acc@1 (\S+)", output)[-1])
      assert accuracy > 2 * CHANCE, output
      contains(success(run(example, "--help")), "--epochs")
  learns.__name__ = name + "_learns"
  test(learns)


@test
def loops_of_their_own_are_kept_in_folders():
  with folder() as here:
    data = write_textures(here.path)
    for name in ("gradient_penalty", "manifold_mixup", "sam"):
      train(examples()[name], data, "--output", here / name)
      assert os.path.exists(here / name + "/checkpoints/last.safetensors")
      contains(success(run(examples()[name], "--resume", here / name, "--data", data, "--epochs", "5")), "Epoch 5 ")


@test
def fine_tuning_starts_from_a_network_for_other_classes():
  with folder() as here:
    script = here.write("make.lua", """local icl = require "icl"
      icl.models.resnet_preact { depth = 8, initial_channels = 8, input = { 28, 28, 1 }, classes = 7 }:save(arg[1])""")
    success(run(script, here / "first"))
    output = train(examples()["fine_tuning"], write_textures(here.path), "--from", here / "first", *OWN["fine_tuning"])
    contains(output, "Begins anew: fc.weight, fc.bias\n")


close()
