"""`icl train NAME`, `icl recipes` and `icl help --html`: what the program has inside, from any folder."""

import os

from harness import ROOT, close, contains, equal, folder, lacks, run, success, test, write_mnist


def usage(result, *texts):
  equal(result.returncode, 2, result.stderr)
  contains(result.stderr, *texts)


SMALL = ["--depth", "8", "--epochs", "1", "--batch", "64", "--lr", "0.02"]


@test
def every_recipe_is_there():
  with folder() as where:
    text = success(run("recipes", cwd=where.path))
    for name in os.listdir(os.path.join(ROOT, "recipes")):
      if name.endswith(".lua"):
        contains(text, f"\n  {name[:-4]} ")
    with open(os.path.join(ROOT, "recipes", "wrn.lua")) as file:
      equal(success(run("recipes", "wrn", cwd=where.path)), file.read())


@test
def names_that_are_none():
  with folder() as where:
    usage(run("train", "wnr", cwd=where.path), "there is no recipe 'wnr' (did you mean wrn?)")
    usage(run("train", cwd=where.path), "train needs the name of a recipe")
    usage(run("recipes", "wnr", cwd=where.path), "did you mean wrn?")
    usage(run("recipes", "wrn", "extra", cwd=where.path), "'extra' is one name too many")
    usage(run("trian", "wrn", cwd=where.path), "did you mean train?")


@test
def train_explains_itself_as_recipes_does():
  equal(success(run("train", "--help")), success(run("recipes", "--help")))


@test
def a_run_begins_goes_on_and_is_repeated_anywhere():
  with folder() as where:
    os.mkdir(where / "data")
    write_mnist(where / "data")
    words = ["--dataset", "mnist", "--data", where / "data", *SMALL]
    text = success(run("train", "resnet_preact", *words, "--output", "runs/first", cwd=where.path))
    contains(text, "--base-lr 0.02", "--batch-size 64")
    first = os.path.join("runs", "first")
    assert os.path.exists(where / os.path.join(first, "weights.safetensors"))
    again = success(run(os.path.join(first, "options.lua"), "--output", "again", cwd=where.path))
    contains(again, "resnet_preact")
    success(run("train", "resnet_preact", "--resume", first, "--epochs", "2", cwd=where.path))
    success(run("recipes/resnet_preact.lua", *words, "--output", "none", cwd=where.path))
    seeds = success(run("train", "resnet_preact", *words, "--seeds", "2", "--output", "seeds", cwd=where.path))
    contains(seeds, "2 seeds")


@test
def a_file_of_the_folder_comes_first():
  with folder() as where:
    os.mkdir(where / "recipes")
    where.write("recipes/wrn.lua", 'print("mine", ...)')
    equal(success(run("train", "wrn", "--depth", "3", cwd=where.path)), "mine\t--depth\t3\n")
    lacks(success(run("recipes", "wrn", cwd=where.path)), "mine")


@test
def short_names_of_options():
  with folder() as where:
    text = success(run("train", "wrn", "--help", cwd=where.path))
    contains(text, "--lr for short", "--wd for short", "--batch for short")
    result = run("train", "wrn", "--lr", "fast", cwd=where.path)
    usage(result, "--base-lr fast")


@test
def the_reference_is_a_page():
  with folder() as where:
    equal(success(run("help", "--html", cwd=where.path)), "icl.html\n")
    equal(success(run("help", "--html", "page.html", cwd=where.path)), "page.html\n")
    with open(where / "page.html") as file:
      page = file.read()
    contains(page, "<!doctype html>", 'id="icl.nn.conv2d"', 'id="t:backward"')
    with open(where / "icl.html") as file:
      equal(file.read(), page)
    assert run("help", "--html", "no/such/folder.html", cwd=where.path).returncode == 1
    equal(run("help", "--htlm", cwd=where.path).returncode, 2)
    contains(success(run("help", "pytorch")), "PyTorch -> icl")


close()
