"""`icl data stats` and `icl data info`, and sets as torchvision leaves them: found, read, and the same bytes."""

import gzip
import json
import os
import pickle
import struct

from harness import (CIFAR10, CIFAR_RECORDS, ROOT, Skip, cifar10_files, close, contains, environment, equal, failure,
                     folder, read_bytes, run, success, test, write_image_folder, write_mnist, write_png)

# ---- sets as torchvision leaves them ----


class Python2:
  """Writes what cPickle of Python 2 wrote in protocol 2, instruction by instruction."""

  def __init__(self):
    self.out, self.kept = [b"\x80\x02"], 0

  def put(self, data, keep=False):
    self.out.append(data)
    if keep:
      self.kept += 1
      self.out.append(b"q" + bytes([self.kept]) if self.kept < 256 else b"r" + struct.pack("<I", self.kept))

  def integer(self, value):
    if 0 <= value < 256:
      self.put(b"K" + bytes([value]))
    elif 0 <= value < 65536:
      self.put(b"M" + struct.pack("<H", value))
    else:
      self.put(b"J" + struct.pack("<i", value))

  def text(self, content):
    head = b"U" + bytes([len(content)]) if len(content) < 256 else b"T" + struct.pack("<i", len(content))
    self.put(head + content, keep=True)

  def list(self, items, write):
    self.put(b"]", keep=True)
    for first in range(0, len(items), 1000):
      self.put(b"(")
      for item in items[first:first + 1000]:
        write(item)
      self.put(b"e")

  def array(self, rows, columns, content):
    for name in (b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n"):
      self.put(name, keep=True)
    self.integer(0)
    self.put(b"\x85", keep=True)
    self.text(b"b")
    self.put(b"\x87", keep=True)
    self.put(b"R", keep=True)
    self.put(b"(")
    for value in (1, rows, columns):
      self.integer(value)
    self.put(b"\x86", keep=True)
    self.put(b"cnumpy\ndtype\n", keep=True)
    self.text(b"u1")
    self.integer(0)
    self.integer(1)
    self.put(b"\x87", keep=True)
    self.put(b"R", keep=True)
    self.put(b"(K\x03")
    self.text(b"|")
    self.put(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0t", keep=True)
    self.put(b"b\x89")
    self.text(content)
    self.put(b"t", keep=True)
    self.put(b"b")

  def dictionary(self, items):
    self.put(b"}", keep=True)
    self.put(b"(")
    for key, write in items:
      self.text(key)
      write()
    self.put(b"u")

  def end(self):
    return b"".join(self.out) + b"."


def python2_batch(labels, label_key, pixels):
  p = Python2()
  p.dictionary([(b"batch_label", lambda: p.text(b"training batch 1 of 5")),
                (label_key, lambda: p.list(labels, p.integer)),
                (b"data", lambda: p.array(len(labels), 3072, pixels)),
                (b"filenames", lambda: p.list([b"a_s_%06d.png" % n for n in range(len(labels))], p.text))])
  return p.end()


def python2_names(key, names):
  p = Python2()
  p.dictionary([(b"num_cases_per_batch", lambda: p.integer(CIFAR_RECORDS)),
                (key, lambda: p.list([name.encode() for name in names], p.text)),
                (b"num_vis", lambda: p.integer(3072))])
  return p.end()


SAME = """
local core = require "icl.core"
for _, part in ipairs { table.unpack(arg, 4) } do
  local a, b = core.data_open(arg[1], arg[2], part), core.data_open(arg[1], arg[3], part)
  assert(a.images:bytes() == b.images:bytes() and a.labels:bytes() == b.labels:bytes(), part)
  assert(table.concat(a.class_names or {}, " ") == table.concat(b.class_names or {}, " "))
  print(part, a.images:shape()[1])
end"""


def split_records(content, label_bytes):
  size = label_bytes + 3072
  labels = list(content[label_bytes - 1::size])
  return labels, b"".join(content[at + label_bytes:at + size] for at in range(0, len(content), size))


@test
def cifar10_for_python_has_the_same_bytes():
  files = cifar10_files()
  with folder() as where:
    for below in ("binary", "python/cifar-10-batches-py"):
      os.makedirs(where / below)
    for name, content in files.items():
      where.write(f"binary/{name}", content)
      labels, pixels = split_records(content, 1)
      where.write(f"python/cifar-10-batches-py/{name[:-len('.bin')]}", python2_batch(labels, b"labels", pixels))
    where.write("binary/batches.meta.txt", "\n".join(CIFAR10))
    where.write("python/cifar-10-batches-py/batches.meta", python2_names(b"label_names", CIFAR10))
    for place in ("python", "python/cifar-10-batches-py"):
      out = success(run("-e", SAME, "cifar10", where / "binary", where / place, "train", "test"))
      equal(out.split(), ["train", "50000", "test", "10000"])


@test
def cifar100_for_python_has_the_same_bytes():
  names = [f"class {n}" for n in range(100)]
  content = b"".join(bytes([n % 20, n % 100]) + bytes([n % 251]) * 3000 + bytes(range(72))
                     for n in range(CIFAR_RECORDS))
  labels, pixels = split_records(content, 2)
  with folder() as where:
    for below in ("binary/cifar-100-binary", "cifar-100-python"):
      os.makedirs(where / below)
    where.write("binary/cifar-100-binary/test.bin", content)
    where.write("binary/cifar-100-binary/fine_label_names.txt", "\n".join(names))
    where.write("cifar-100-python/test", python2_batch(labels, b"fine_labels", pixels))
    where.write("cifar-100-python/meta", python2_names(b"fine_label_names", names))
    success(run("-e", SAME, "cifar100", where / "binary", where.path, "test"))


@test
def what_numpy_writes_today_is_read():
  try:
    import numpy
  except ImportError as error:
    raise Skip("there is no numpy") from error
  content = cifar10_files()["test_batch.bin"]
  labels, pixels = split_records(content, 1)
  rows = numpy.frombuffer(pixels, numpy.uint8).reshape(CIFAR_RECORDS, 3072)
  with folder() as where:
    for below in ("binary", "python"):
      os.makedirs(where / below)
    where.write("binary/test_batch.bin", content)
    for protocol in (2, 3, 4, 5):
      for array in (rows, numpy.asfortranarray(rows)):
        where.write("python/test_batch", pickle.dumps({"labels": labels, "data": array}, protocol=protocol))
        success(run("-e", SAME, "cifar10", where / "binary", where / "python", "test"))
    where.write("python/test_batch", pickle.dumps({"labels": labels, "data": rows.astype(numpy.float32)}, protocol=2))
    contains(failure(run("data", "info", "cifar10", "--data", where / "python")), "data_batch_1")
    contains(failure(run("-e", SAME, "cifar10", where / "python", where / "python", "test")),
             "python/test_batch: the array at byte", "has elements of numpy's type f4; images are bytes, u1")


@test
def pickles_are_not_executed():
  class Attack:
    def __init__(self, path):
      self.path = path

    def __reduce__(self):
      return os.mkdir, (self.path,)

  with folder() as where:
    os.mkdir(where / "cifar-10-batches-py")
    for protocol in (2, 4):
      for i in range(1, 6):
        where.write(f"cifar-10-batches-py/data_batch_{i}", pickle.dumps(Attack(where / "executed"), protocol=protocol))
      contains(failure(run("data", "info", "cifar10", "--data", where.path)), "asks for posix.mkdir",
               "nothing of it is executed")
    assert not os.path.exists(where / "executed")


def check_read(where, name="mnist", count=64):
  out = success(run("data", "info", name, "--data", where))
  contains(out, f"train: {count} images")


@test
def raw_folders_of_torchvision_are_found():
  for name, below in (("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST"), ("kmnist", "KMNIST")):
    with folder() as where:
      os.makedirs(where / f"{below}/raw")
      write_mnist(where / f"{below}/raw", train=64, test_images=20)
      check_read(where.path, name)
      for file in os.listdir(where / f"{below}/raw"):
        where.write(f"{below}/raw/{file}.gz", gzip.compress(read_bytes(where / f"{below}/raw/{file}")))
        os.remove(where / f"{below}/raw/{file}")
      check_read(where.path, name)
      env = environment(HOME=where.path, XDG_DATA_HOME=where.path)
      os.mkdir(where / "icl")
      os.rename(where / below, where / f"icl/{below}")
      contains(success(run("data", "info", name, env=env)), "train: 64 images")


@test
def sets_that_are_absent_name_the_command():
  with folder() as where:
    env = environment(HOME=where.path)
    for name in ("cifar10", "cifar100", "kmnist", "mnist"):
      text = failure(run("data", "info", name, env=env))
      contains(text, f"{name} is not on this machine", f"`icl data fetch {name}` gets them")


# ---- statistics ----


def measured(where, *more, env):
  lines = success(run("data", "stats", where, "--image-size", "32", *more, env=env)).splitlines()
  equal(lines[0], f"# 12 training images of {where}, as evaluation sees them")
  words = lines[1].split()
  equal(words[0::2], ["--mean", "--std"])
  return [[float(number) for number in text.split(",")] for text in words[1::2]]


def write_plain_folder(where):
  """Images of one colour: 6 of (0, 100, 200) and 6 of (200, 100, 0) for training."""
  for part, count in (("train", 6), ("val", 2)):
    for name, pixel in (("cat", (0, 100, 200)), ("dog", (200, 100, 0))):
      os.makedirs(os.path.join(where, part, name))
      for number in range(count):
        write_png(os.path.join(where, part, name, f"{number}.png"), 40, 50, lambda y, x: pixel)
  return where


@test
def statistics_of_a_folder():
  with folder() as where:
    env = environment(HOME=where.path)
    photos = write_plain_folder(where / "photos")
    mean, std = measured(photos, env=env)
    equal(mean, [0.3922, 0.3922, 0.3922])
    equal(std, [0.3922, 0.0, 0.3922])
    kept = os.listdir(where / ".cache/icl/statistics")
    equal(len(kept), 1)
    place = where / f".cache/icl/statistics/{kept[0]}"
    equal(json.loads(read_bytes(place))["count"], 12)
    where.write(f".cache/icl/statistics/{kept[0]}", '{"mean":[0.1,0.2,0.3],"std":[1,2,3],"count":12}')
    equal(measured(photos, env=env), [[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]])
    for damaged in ("{ damaged", '{"mean":5,"std":5}', '{"mean":"abc","std":"abc"}', '{"mean":["0"],"std":[1]}'):
      where.write(f".cache/icl/statistics/{kept[0]}", damaged)
      equal(measured(photos, env=env)[0], [0.3922, 0.3922, 0.3922], damaged)
    equal(measured(photos, "--eval-resize", "0", env=env)[0], [0.3922, 0.3922, 0.3922])
    equal(len(os.listdir(where / ".cache/icl/statistics")), 2)
    write_png(where / "photos/train/cat/0.png", 40, 50, lambda y, x: (255, 255, 255))
    equal(measured(photos, env=env)[0], [0.4755, 0.4428, 0.4101])


@test
def statistics_without_a_cache():
  with folder() as where:
    photos = write_plain_folder(where / "photos")
    where.write("file", "")
    for env in (environment(HOME=where / "file"), {k: v for k, v in environment().items() if k != "HOME"}):
      equal(measured(photos, env=env)[0], [0.3922, 0.3922, 0.3922])


@test
def statistics_of_sets_in_memory_are_those_of_the_table():
  with folder() as where:
    write_mnist(where.path, train=64, test_images=20)
    out = success(run("data", "stats", "mnist", "--data", where.path))
    assert out.startswith("# 64 training images, as evaluation sees them\n--mean 0.2"), out


def trained(where, *more, env):
  recipe = ["recipes/resnet.lua", "--dataset", "folder", "--data", where, "--image-size", "32", "--type", "cifar",
            "--depth", "8", "--epochs", "1", "--batch-size", "4", *more]
  return run(*recipe, env=env, cwd=ROOT)


@test
def statistics_are_used():
  with folder() as where:
    env = environment(HOME=where.path)
    photos = write_image_folder(where / "photos")
    code = """
      local opt = icl.options "x" : include(icl.options.data) : parse(arg)
      local train, val = icl.data.open(opt)
      print(table.concat(train.mean, " "), table.concat(val.mean, " "), table.concat(train.std, " "))"""
    words = ["-e", code, "--", "--dataset", "folder", "--data", photos, "--image-size", "32"]
    plain = success(run(*words, env=env))
    equal(plain.split()[:3], ["0.485", "0.456", "0.406"])
    equal(success(run(*words, "--normalize", "imagenet", env=env)), plain)
    first = run(*words, "--normalize", "own", env=env)
    contains(first.stderr, "measuring mean and deviation of 12 images")
    own = success(first).split()
    equal(own[:3], own[3:6])
    second = run(*words, "--normalize", "own", env=env)
    equal((second.stdout, second.stderr), (first.stdout, ""))
    pasted = success(run("data", "stats", photos, "--image-size", "32", env=env)).splitlines()[1].split()
    given = success(run(*words, *pasted, env=env)).split()
    equal([f"{float(number):.4f}" for number in own], [f"{float(number):.4f}" for number in given])
    success(trained(photos, "--normalize", "own", env=env))


@test
def statistics_that_do_not_go_together():
  words = ["recipes/resnet.lua", "--dataset", "folder", "--data", "/nonexistent"]
  cwd = ROOT
  for more, message in (
      (["--mean", "0.5,0.5,0.5"], "--mean and --std go together"),
      (["--mean", "0,0,0", "--std", "1,1,1", "--normalize", "own"], "--normalize own measures what --mean and"),
      (["--mean", "0,0,0", "--std", "1,0,1"], "--std 1,0,1: it must be")):
    contains(failure(run(*words, *more, cwd=cwd), 2), message)
  with folder() as where:
    write_mnist(where.path, train=64, test_images=20)
    words = ["recipes/resnet.lua", "--dataset", "mnist", "--data", where.path, "--mean", "0,0,0", "--std", "1,1,1"]
    contains(failure(run(*words, cwd=cwd), 2), "--mean has 3 numbers; images of mnist have 1 channels")
    photos = write_plain_folder(where / "photos")
    words = ["recipes/resnet.lua", "--dataset", "folder", "--data", photos, "--image-size", "32", "--normalize", "own"]
    contains(failure(run(*words, cwd=cwd), 2), "--normalize own: channel 2 is the same in all images")
  contains(failure(run("recipes/resnet.lua", "--normalize", "own", cwd=cwd), 2),
           "--normalize own means nothing without --dataset imagenet or folder")


# ---- descriptions and usage ----


@test
def descriptions():
  with folder() as where:
    photos = write_image_folder(where / "photos")
    where.write("photos/train/cat/broken.png", "no image")
    out = success(run("data", "info", photos))
    contains(out, f"train: 13 images, 2 classes, in {photos}/train\n  cannot be read: 1\n",
             f"\n{photos}/train/cat/broken.png: ",
             f"val: 6 images, 2 classes, in {photos}/val\n", "\n  cat  7\n  dog  6\n")
    contains(success(run("data", "info", where / "photos/val")), f"images: 6 images, 2 classes, in {photos}/val\n")
    write_mnist(where.path, train=64, test_images=20)
    contains(success(run("data", "info", "mnist", "--data", where.path)),
             f"train: 64 images of 28 x 28 x 1, 10 classes, in {where.path}\n",
             f"test: 20 images of 28 x 28 x 1, 10 classes, in {where.path}\n", "\n  0  7\n")


@test
def wrong_command_lines():
  for words, message in ((["load"], "there is no command 'load'"), (["fetch"], "NAME is missing: cifar10, cifar100"),
                         (["fetch", "cifar"], "there is no set 'cifar' (did you mean cifar10?)"),
                         (["fetch", "imagenet"], "there is no set 'imagenet'"),
                         (["fetch", "mnist", "kmnist"], "'kmnist' is not an option"),
                         (["stats", "--data-set", "x"], "there is no option --data-set"),
                         (["stats"], "NAME or DIR is missing"), (["info", "--data", "/"], "NAME or DIR is missing"),
                         (["info", "mnits"], "there is neither a set nor a folder 'mnits' (did you mean mnist?)"),
                         (["info", "--dataset", "folder"], "needs --data DIR")):
    contains(failure(run("data", *words), 2), message)
  for words in ([], ["--help"], ["fetch", "--help"], ["stats", "--help"], ["info", "mnist", "--help"]):
    contains(success(run("data", *words)), "icl data ")


close()
