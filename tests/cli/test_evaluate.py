"""icl evaluate and icl predict: networks in files, on sets and on pictures."""

import csv
import io
import json
import math
import os
import re
import shutil
import subprocess

from harness import (ICL, PATIENCE, ROOT, Skip, close, contains, environment, equal, failure, folder, lacks, read_bytes,
                     run, success, test, write_image_folder, write_mnist, write_png)

try:
  import numpy
except ImportError as error:
  numpy, missing = None, str(error)

TRAIN = """
local icl = require "icl"
local train, _, test = icl.data.open { dataset = arg[1], data = arg[2], image_size = 32 }
icl.random.seed(1)
local model = icl.models.resnet { depth = 8, initial_channels = 4, input = train.shape, classes = train.classes }
icl.fit { model = model, train = train, test = test, quiet = true, options = { epochs = 2, batch_size = 4 } }
local chain = train.folder and icl.augment.chain { icl.augment.center_crop { resize = 36 }, icl.augment.normalize {} }
icl.network.save(model, arg[3], { data = icl.network.data(train, chain), recipe = "r.lua" })
model:save(arg[3] .. ".plain")
local images, labels = test.images, test.labels
if images then
  local net = icl.network.open(arg[3])
  local loss, top1 = icl.step(function()
    local logits = net(images)
    return icl.loss.cross_entropy(logits, labels), icl.metrics.accuracy(logits, labels)
  end)
  print(loss:item(), top1:item())
end
"""

MODEL = ("--model", "resnet", "--depth", "8", "--initial-channels", "4")


class trained(folder):
  """A folder with a set and a network that was trained on it for a moment."""

  def __init__(self, name):
    self.name = name

  def __enter__(self):
    super().__enter__()
    os.mkdir(self / "data")
    (write_mnist if self.name == "fashion_mnist" else write_image_folder)(self / "data")
    result = run(self.write("train.lua", TRAIN), self.name, self / "data", self / "net")
    success(result)
    self.figures = [float(word) for word in result.stdout.split()]
    return self

  def evaluate(self, *words):
    result = run("evaluate", self / "net", "--data", self / "data", *words)
    success(result)
    return result.stdout


@test
def figures_are_those_of_the_network():
  with trained("fashion_mnist") as where:
    got = json.loads(where.evaluate("--json", "--batch-size", "7"))
    assert abs(got["loss"] - where.figures[0]) < 1e-5 and abs(got["top1"]["value"] - where.figures[1]) < 1e-9, got
    equal((got["count"], got["data"], got["split"], got["network"]), (64, "fashion_mnist", "test", where / "net"))
    hits = got["top1"]["correct"]
    equal(hits, sum(row[i] for i, row in enumerate(got["confusion"])))
    equal([sum(row) for row in got["confusion"]], [entry["images"] for entry in got["classes"]])
    p, n, z = hits / 64, 64, 1.959963984540054
    middle = (p + z * z / 2 / n) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n) / (1 + z * z / n)
    assert abs(got["top1"]["low"] - (middle - half)) < 1e-12 and abs(got["top1"]["high"] - middle - half) < 1e-12
    text = where.evaluate()
    contains(text, "64 images, 10 classes", "Top-1", "Top-5", "T-shirt/top", "ankle boot", "95 % interval",
             f"{hits} of 64 images")
    equal(json.loads(where.evaluate("--json", "--split", "train"))["count"], 256)


@test
def tables_go_into_files():
  if numpy is None:
    raise Skip(f"{missing}; pip install numpy")
  with trained("fashion_mnist") as where:
    got = json.loads(where.evaluate("--json", "--csv", where / "a.csv", "--predictions", where / "p.npz"))
    with open(where / "a.csv", newline="", encoding="utf-8") as file:
      rows = list(csv.reader(file))
    equal(len(rows), 11)
    equal([[int(cell) for cell in row[6:]] for row in rows[1:]], got["confusion"])
    with numpy.load(where / "p.npz") as file:
      names, probabilities, truth = file["names"], file["probabilities"], file["truth"]
    equal((probabilities.shape, str(probabilities.dtype), str(truth.dtype)), ((64, 10), "float32", "int64"))
    equal(list(names), [str(i) for i in range(64)])
    equal(int((probabilities.argmax(1) == truth).sum()), got["top1"]["correct"])
    contains(where.evaluate("--csv", where / "a.csv", "--predictions", where / "p.npz"),
             f"\nTable: {where / 'a.csv'}\n", f"\nPredictions: {where / 'p.npz'}\n")
    before = read_bytes(where / "net")
    words = ("evaluate", where / "net", "--data", where / "data")
    for more in (("--csv", f"{where.path}/./net"), ("--predictions", where / "net")):
      contains(failure(run(*words, *more), 2), more[0], "it is the file that is read")
    equal(read_bytes(where / "net"), before)
    contains(failure(run(*words, "--csv", where / "x", "--predictions", where / "x"), 2),
             "--csv and --predictions name one file")
    contains(failure(run(*words, "--csv", where / "no/x.csv"), 2), "there is no folder")
    contains(failure(run(*words, "--csv", ""), 2), "--csv: the name of a file is needed")
    loss = -numpy.log(probabilities[numpy.arange(64), truth]).mean()
    assert abs(loss - got["loss"]) < 1e-4, (loss, got["loss"])


@test
def images_of_a_folder_have_the_size_that_the_network_takes():
  with trained("folder") as where:
    script = where.write("save.lua", """
      local icl = require "icl"
      icl.network.save(icl.models.resnet { depth = 8, classes = 2, input = { 24, 24, 3 } }, arg[1], {
        shape = { 24, 24, 3 } })""")
    success(run(script, where / "small"))
    words = ("--dataset", "folder", "--data", where / "data", "--json")
    equal(len(json.loads(success(run("evaluate", where / "small", *words)))["classes"]), 2)


@test
def options_about_folders_mean_nothing_for_other_images():
  with trained("fashion_mnist") as where:
    contains(failure(run("evaluate", where / "net", "--data", where / "data", "--eval-resize", "30"), 2),
             "icl evaluate: --eval-resize 30 means nothing without --dataset imagenet or folder")


@test
def mirror_images_count_with_tta():
  with trained("fashion_mnist") as where:
    one, two = (json.loads(where.evaluate("--json", "--tta", tta))["loss"] for tta in ("none", "flip"))
    assert one != two


@test
def a_run_is_evaluated_as_it_was_with_tta():
  with folder() as where:
    os.mkdir(where / "data")
    write_mnist(where / "data")
    for tta in ("flip", "five_crop", "ten_crop"):
      success(run("recipes/resnet.lua", "--depth", "8", "--dataset", "mnist", "--data", where / "data",
                  "--epochs", "1", "--tta", tta, "--output", tta, cwd=where.path))
      with open(where / tta + "/metrics.jsonl", encoding="utf-8") as file:
        figures = json.loads(file.readline())["test"]
      got = json.loads(success(run("evaluate", tta, "--tta", tta, "--json", cwd=where.path)))
      assert abs(got["loss"] - figures["loss"]) < 1e-5, (got["loss"], figures["loss"])
      equal(got["top1"]["value"], figures["top1"])
    where.write("fixed.lua", """local icl = require "icl"
      local model = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(784, 10) }
      local _, _, test = icl.data.open { dataset = "mnist", data = "data" }
      icl.network.save(model, "fixed.safetensors", { data = test })
      """)
    success(run("fixed.lua", cwd=where.path))
    contains(failure(run("evaluate", "fixed.safetensors", "--data", "data", "--tta", "ten_crop", cwd=where.path), 2),
             "--tta ten_crop: the file does not say that the network takes crops of 24 x 24 besides images of 28 x 28")


@test
def weights_alone_need_a_model():
  with trained("fashion_mnist") as where:
    plain = where / "net.plain"
    words = ("--dataset", "fashion_mnist", "--data", where / "data")
    result = run("evaluate", plain, *words)
    equal(result.returncode, 1)
    contains(result.stderr, "without a description of the network", "--model")
    result = run("evaluate", plain, *words, *MODEL, "--json")
    success(result)
    equal(json.loads(result.stdout)["confusion"], json.loads(where.evaluate("--json"))["confusion"])
    picture = where / "p.png"
    write_png(picture, 30, 40, lambda y, x: (y, x, 9))
    words = (plain, picture, *MODEL, "--input", "28,28,1")
    contains(run("predict", *words).stderr, "--mean and --std")
    success(run("predict", *words, "--mean", "0.3", "--std", "0.3"))
    contains(failure(run("predict", *words, "--mean", "0.3"), 2), "--mean and --std go together")
    contains(run("predict", plain, picture, "--classes", "3").stderr, "--classes 3 means nothing without --model")


@test
def a_folder_of_images_is_evaluated_as_it_was_trained():
  with trained("folder") as where:
    got = json.loads(where.evaluate("--json"))
    equal((got["count"], [entry["name"] for entry in got["classes"]]), (6, ["cat", "dog"]))
    assert "top5" not in got
    direct = run("evaluate", where / "net", "--data", where / "data/val", "--json", "--predictions", where / "p.npz")
    equal(json.loads(direct.stdout)["confusion"], got["confusion"])
    pictures = [where / f"data/val/{name}/{number}.png" for name in ("cat", "dog") for number in range(3)]
    result = run("predict", where / "net", where / "data/val", "--json")
    success(result)
    contains(result.stderr, "the shorter side resized to 36, the middle 32 x 32")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    equal([line["file"] for line in lines], pictures)
    if numpy is not None:
      with numpy.load(where / "p.npz") as file:
        equal(list(file["names"]), pictures)
        for line, row in zip(lines, file["probabilities"]):
          for entry in line["top"]:
            assert abs(entry["probability"] - row[entry["label"]]) < 1e-6
    os.rename(where / "data/val/dog", where / "data/val/eel")
    result = run("evaluate", where / "net", "--data", where / "data/val")
    contains(result.stderr, "class 2 of the images is eel, and of the network dog")


@test
def a_folder_test_counts_where_it_is_asked_for():
  with trained("folder") as where:
    count = json.loads(where.evaluate("--json"))["count"]
    shutil.copytree(where / "data/val", where / "data/test")
    write_png(where / "data/test/dog/more.png", 40, 40, lambda y, x: (y, x, 7))
    equal(json.loads(where.evaluate("--json"))["count"], count)
    equal(json.loads(where.evaluate("--json", "--split", "test"))["count"], count + 1)
    equal(json.loads(where.evaluate("--json", "--split", "val"))["count"], count)


@test
def the_parts_of_a_training_are_its_own():
  for write, name in ((write_mnist, "fashion_mnist"), (write_image_folder, "folder")):
    with folder() as where:
      os.mkdir(where / "data")
      write(where / "data")
      size = ("--image-size", "32") if name == "folder" else ()
      recipe = os.path.join(ROOT, "recipes", "resnet.lua")
      output = success(run(recipe, "--depth", "8", "--type", "cifar", "--initial-channels", "4", "--dataset", name,
                           "--data", where / "data", *size, "--epochs", "1", "--batch-size", "2",
                           "--no-use-test-as-val", "--val-ratio", "0.25", "--output", where / "run"))
      sizes = re.search(r"([\d,]+) training, ([\d,]+) validation, ([\d,]+) test", output).groups()
      for part, size in zip(("train", "val", "test"), sizes):
        for more in ((), ("--data", where.path + "/./data/")):
          got = json.loads(success(run("evaluate", where / "run", "--split", part, "--json", *more)))
          equal((part, got["count"]), (part, int(size)))
      loss = float(re.search(r"Val loss (\S+)", output).group(1))
      got = json.loads(success(run("evaluate", where / "run", "--split", "val", "--json")))
      assert abs(got["loss"] - loss) < 1e-3 * loss, (name, got["loss"], output)


@test
def a_run_of_more_logits_than_classes_can_be_used():
  with folder() as where:
    os.mkdir(where / "data")
    write_mnist(where / "data")
    script = where.write("wide.lua", """local icl = require "icl"
      local opt = icl.options "x" : include(icl.options.data, icl.options.training, icl.options.runtime) : parse(arg)
      local model = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(784, 12) }
      icl.fit { model = model, train = icl.data.open(opt), options = opt }""")
    output = success(run(script, "--dataset", "mnist", "--data", where / "data", "--epochs", "1", "--batch-size", "32",
                         "--output", where / "run"))
    contains(output, "Note: the images have 10 classes, and the network 12 logits")
    write_png(where / "p.png", 28, 28, lambda y, x: (8 * y, 9 * x, 7))
    equal(success(run("predict", where / "run", where / "p.png", "--top", "12", "--csv", "--quiet")).count("\n"), 13)


@test
def what_is_not_finite_is_no_figure():
  with trained("folder") as where:
    code = """local icl = require "icl"
      local net = icl.nn.sequential { icl.nn.flatten(), icl.nn.linear(32 * 32 * 3, 2) }
      net[2].weight:write(net[2].weight * (0 / 0))
      icl.network.save(net, arg[1], { shape = { 32, 32, 3 }, data = { mean = { 0, 0, 0 }, std = { 1, 1, 1 } } })"""
    success(run("-e", code, where / "nan"))
    words = ("evaluate", where / "nan", "--dataset", "folder", "--data", where / "data")
    contains(failure(run(*words)), "is not finite for ", " images; its weights")
    result = run("predict", where / "nan", where / "data/val/dog/0.png")
    contains(failure(result), "0.png: what the network computes for it is not finite")
    equal(result.stdout, "")


@test
def names_that_are_no_utf8_are_replaced():
  with trained("folder") as where:
    odd = where / "data/val/dog/n\udcff.png"
    os.rename(where / "data/val/dog/0.png", odd)
    result = subprocess.run([ICL, "predict", where / "net", odd, "--json"], stdout=subprocess.PIPE, check=True,
                            stderr=subprocess.DEVNULL, env=environment(), timeout=PATIENCE)
    equal(json.loads(result.stdout)["file"], where / "data/val/dog/n\ufffd.png")
    where.evaluate("--predictions", where / "p.npz")
    if numpy is not None:
      with numpy.load(where / "p.npz") as file:
        contains(list(file["names"]), where / "data/val/dog/n\ufffd.png")


@test
def classes_whose_names_are_no_utf8():
  with trained("folder") as where:
    for part in ("train", "val"):
      os.rename(where / f"data/{part}/dog", where / f"data/{part}/\udcff")
    success(run(where / "train.lua", "folder", where / "data", where / "odd"))
    result = run("evaluate", where / "odd", "--data", where / "data", "--json")
    equal([entry["name"] for entry in json.loads(success(result))["classes"]], ["cat", "\ufffd"])


@test
def pictures_in_many_ways():
  with trained("fashion_mnist") as where:
    for number in range(10):
      write_png(where / f"p{number}.png", 20 + number, 30, lambda y, x: (y * 8, x * 8, number))
    one = run("predict", where / "net", where / "p3.png")
    success(one)
    equal(one.stderr, "Pictures are resized to 28 x 28, grey.\n")
    equal(one.stdout.count("%"), 5)
    listed = "".join(f"{where / f'p{number}.png'}\n" for number in range(10))
    result = run("predict", where / "net", "-", "--csv", "--top", "2", "--quiet", stdin=listed)
    success(result)
    equal(result.stderr, "")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    equal([row["file"] for row in rows[::2]], listed.split())
    equal(f"{100 * float(rows[6]['probability']):.2f} %" in one.stdout, True)
    where.write("bad.png", b"no picture")
    result = run("predict", where / "net", where / "p0.png", where / "bad.png", where / "absent.png", where / "p1.png")
    equal(result.returncode, 1)
    equal([line.split()[0] for line in result.stdout.splitlines()], [where / "p0.png", where / "p1.png"])
    contains(result.stderr, "bad.png", "absent.png")
    where.write("\x1b[31m.png", b"no picture")
    lacks(run("predict", where / "net", where / "\x1b[31m.png").stderr, "\x1b")
    cut = where.write("cut.png", read_bytes(where / "p0.png")[:-30])
    contains(run("predict", where / "net", *[cut] * 3).stderr, "cut.png")
    os.mkdir(where / "around")
    for link in ("a", "b"):
      os.symlink(".", where / f"around/{link}")
    contains(failure(run("predict", where / "net", where / "around")), "more than 16 folders in folders")
    os.mkdir(where / "empty")
    contains(run("predict", where / "net", where / "empty").stderr, "there is no picture in this folder")
    result = run("predict", where / "net", "-", stdin="\x89PNG\n\0\0\n")
    contains(failure(result), "icl: -: standard input is no list of paths")


@test
def the_folder_of_a_run_stands_for_its_weights():
  with trained("fashion_mnist") as where:
    os.makedirs(where / "runs/r/001/checkpoints")
    where.write("runs/r/001/options.lua", 'require "icl".rerun { recipe = "r.lua", arguments = {}, options = { '
                f'dataset = "fashion_mnist", data = "{where / "data"}", seed = 0 }} }}\n')
    where.write("runs/r/001/metrics.jsonl", "")
    result = run("evaluate", "r/001", cwd=where.path)
    equal(result.returncode, 1)
    contains(result.stderr, "this run has no weights yet")
    os.rename(where / "net", where / "runs/r/001/checkpoints/last.safetensors")
    equal(success(run("-e", "print(icl.network.open 'runs/r'.classes)", cwd=where.path)), "10\n")
    for word in ("runs/r/001", "runs/r", "r/001", "r"):
      result = run("evaluate", word, "--json", cwd=where.path)
      success(result)
      contains(json.loads(result.stdout)["network"], "runs/r/001/checkpoints/last.safetensors")
    success(run("evaluate", "r", "--predictions", "--split", "train", cwd=where.path))
    equal(os.path.exists(where / "runs/r/001/predictions.npz"), True)
    result = run("evaluate", where / "net.plain", "--predictions", "--dataset", "fashion_mnist", "--data",
                 where / "data", *MODEL)
    contains(result.stderr, "--predictions needs the name of a file")
    result = run("evaluate", "r", "--split", "val", cwd=where.path)
    contains(result.stderr, "there is no validation set")


@test
def what_a_recipe_leaves_is_a_network():
  with folder() as where:
    os.mkdir(where / "data")
    write_mnist(where / "data")
    recipe = os.path.join(ROOT, "recipes", "resnet.lua")
    result = run(recipe, "--depth", "8", "--dataset", "fashion_mnist", "--data", where / "data", "--epochs", "1",
                 "--batch-size", "32", "--output", where / "runs/resnet/001", cwd=where.path)
    success(result)
    result = run("evaluate", "resnet", "--json", cwd=where.path)
    success(result)
    got = json.loads(result.stdout)
    contains(got["network"], "runs/resnet/001/weights.safetensors")
    with open(where / "runs/resnet/001/metrics.jsonl", encoding="utf-8") as file:
      report = json.loads(file.readline())
    assert abs(report["test"]["loss"] - got["loss"]) < 1e-4 * got["loss"], (report, got["loss"])
    for name in ("last", "best"):
      path = where / f"runs/resnet/001/checkpoints/{name}.safetensors"
      result = run("evaluate", path, "--data", where / "data", "--json")
      success(result)
      equal(json.loads(result.stdout)["loss"], got["loss"])
      # where the images lie is in the folder that the checkpoint is in
      for word in (path, f"checkpoints/{name}.safetensors"):
        result = run("evaluate", word, "--json", cwd=where / "runs/resnet/001")
        equal(json.loads(success(result))["loss"], got["loss"])


@test
def averages_of_a_run_are_used_where_they_are_asked_for():
  with folder() as where:
    os.mkdir(where / "data")
    write_mnist(where / "data")
    recipe, here = os.path.join(ROOT, "recipes", "resnet.lua"), where / "runs/resnet/001"
    success(run(recipe, "--depth", "8", "--dataset", "fashion_mnist", "--data", where / "data", "--epochs", "1",
                "--batch-size", "32", "--ema", "0.5", "--output", here))
    with open(here + "/metrics.jsonl", encoding="utf-8") as file:
      report = json.loads(file.readline())
    data = ("--dataset", "fashion_mnist", "--data", where / "data", "--json")
    for word, more in ((here, ()), (here + "/checkpoints/last.safetensors", ()),
                       (here + "/checkpoints/best.safetensors", ("--model", "resnet", "--depth", "8"))):
      got = json.loads(success(run("evaluate", word, "--ema", *data, *more)))
      assert abs(report["test_ema"]["loss"] - got["loss"]) < 1e-4 * got["loss"], (report, got["loss"])
      assert abs(report["test"]["loss"] - got["loss"]) > 1e-3 * got["loss"], (report, got["loss"])
      equal(got["ema"], True)
    success(run("export", here, "--ema", "--safetensors", where / "net", "--onnx", where / "net.onnx"))
    equal(json.loads(success(run("evaluate", where / "net", *data)))["loss"], got["loss"])
    write_png(where / "p.png", 28, 28, lambda y, x: (8 * y, 9 * x, 7))
    seen = [run("predict", word, where / "p.png", "--json", *more) for word, more in
            ((here, ("--ema",)), (where / "net", ()), (here, ()))]
    equal(success(seen[0]), success(seen[1]))
    assert success(seen[2]) != seen[0].stdout
    contains(failure(run("evaluate", here + "/weights.safetensors", "--ema", *data)),
             "weights.safetensors: no averages of weights are in it; the checkpoints of a run with --ema hold them")
    contains(failure(run("predict", here, where / "p.png", "--ema", "--model", "vgg")), "does not fit the model")
    content = bytearray(read_bytes(here + "/checkpoints/last.safetensors"))
    content[-5] ^= 1
    damaged = where.write("damaged", bytes(content))
    words = ("predict", damaged, where / "p.png", "--ema", "--model", "resnet", "--depth", "8")
    contains(failure(run(*words)), "is damaged")


@test
def bad_images_are_skipped_as_they_were_in_the_training():
  with folder() as where:
    os.mkdir(where / "photos")
    write_image_folder(where / "photos")
    classes = sorted(os.listdir(where / "photos/val"))
    where.write(f"photos/val/{classes[0]}/bad.png", b"no picture")
    success(run(os.path.join(ROOT, "recipes", "resnet.lua"), "--depth", "8", "--type", "cifar", "--image-size", "16",
                "--dataset", "folder", "--data", where / "photos", "--epochs", "1", "--batch-size", "4",
                "--skip-bad-images", "--output", where / "run"))
    success(run("evaluate", where / "run"))
    contains(failure(run("evaluate", where / "run", "--no-skip-bad-images")), "bad.png")
    contains(failure(run("evaluate", where / "run", "--dataset", "imagenet", "--data", where / "photos")), "bad.png")


@test
def images_that_do_not_fit_are_a_wrong_command_line():
  with trained("fashion_mnist") as where:
    os.mkdir(where / "photos")
    write_image_folder(where / "photos")
    contains(failure(run("evaluate", where / "net", "--dataset", "folder", "--data", where / "photos"), 2),
             f"--data {where / 'photos'}: the network has 10 classes, and folder has 2")
    result = run("evaluate", where / "net", "--dataset", "mnist", "--data", where / "data")
    contains(failure(result, 2), f"--data {where / 'data'}: class 1 of the images is 0, and of the network T-shirt/top")


@test
def a_network_is_described_with_eager_as_without():
  with folder() as where:
    script = where.write("save.lua", """
      local icl = require "icl"
      icl.random.seed(1)
      icl.network.save(icl.models.densenet { depth = 22, growth_rate = 4, drop_rate = 0.2 }, arg[1])""")
    for words in ((), ("--eager",)):
      success(run(*words, script, where / f"net{len(words)}"))
    with open(where / "net0", "rb") as one, open(where / "net1", "rb") as two:
      equal(one.read() == two.read(), True)


@test
def wrong_command_lines_are_named():
  for words, message in (
    (("evaluate",), "which network?"), (("predict",), "which network, and which pictures?"),
    (("predict", "x"), "which pictures?"), (("evaluate", "a", "b"), "one network, not 2 words"),
    (("predict", "a", "b", "--json", "--csv"), "--json and --csv exclude each other"),
    (("evaluate", "a", "--tta", "crop"), "--tta crop"),
  ):
    result = run(*words)
    equal(result.returncode, 2, result.stderr)
    contains(result.stderr, message)
  contains(run("predict", "/no/such/net", "x").stderr, "there is no file or run /no/such/net")
  contains(failure(run("evaluate", "a", "--model", "vgg"), 2),
           "--model does not say which images to use; give --dataset")


close()
