"""The .npz files of numpy, against numpy itself."""

import io
import zipfile

from harness import Skip, close, contains, equal, folder, read_bytes, run, success, test

try:
  import numpy
except ImportError as error:
  numpy, missing = None, str(error)


def reference():
  if numpy is None:
    raise Skip(f"{missing}; pip install numpy")


WRITE = """
local core = require "icl.core"
local new = core.new_tensor
core.npz_write(arg[1], {
  f = new({ 1.5, -2, 3, 4, 5, 6 }, "f32", { 2, 3 }), d = new({ 0.1 }, "f64", { 1 }), h = new({ 1, 0.5 }, "f16", { 2 }),
  n = new(9007199254740993, "i64", {}), i = new({ -3 }, "i32", { 1, 1 }), u = new({ 0, 255 }, "u8", { 2 }),
  b = new({ 1, 0 }, "bool", { 2 }), empty = new({}, "f32", { 0, 4 }),
  names = { "cat", "", "großer Hund", "\\u{1F600}" }, none = {},
})
"""

COPY = """
local core = require "icl.core"
core.npz_write(arg[2], core.npz_read(arg[1]))
"""


def expected():
  return {
    "f": numpy.array([[1.5, -2, 3], [4, 5, 6]], "float32"), "d": numpy.array([0.1]),
    "h": numpy.array([1, 0.5], "float16"), "n": numpy.array(9007199254740993), "i": numpy.array([[-3]], "int32"),
    "u": numpy.array([0, 255], "uint8"), "b": numpy.array([True, False]), "empty": numpy.zeros((0, 4), "float32"),
    "names": numpy.array(["cat", "", "gro\u00dfer Hund", "\U0001f600"]), "none": numpy.array([], "<U1"),
  }


def check(path):
  with numpy.load(path, allow_pickle=False) as file:
    equal(sorted(file.files), sorted(expected()))
    for name, array in expected().items():
      equal(file[name].dtype, array.dtype, name)
      equal(file[name].shape, array.shape, name)
      equal(file[name].tobytes(), array.tobytes(), name)


@test
def numpy_reads_what_icl_writes():
  reference()
  with folder() as where:
    script = where.write("write.lua", WRITE)
    success(run(script, where / "a.npz"))
    check(where / "a.npz")
    success(run(script, where / "b.npz"))
    equal(read_bytes(where / "a.npz"), read_bytes(where / "b.npz"))


@test
def icl_reads_what_numpy_writes():
  reference()
  with folder() as where:
    script = where.write("copy.lua", COPY)
    for save in (numpy.savez, numpy.savez_compressed):
      save(where / "in.npz", **expected())
      success(run(script, where / "in.npz", where / "out.npz"))
      check(where / "out.npz")


TRUTH = b"\x93NUMPY\1\0\x36\0" + b"{'descr': '|b1', 'fortran_order': False, 'shape': ()}\n" + b"\1"


def npy(array, **options):
  text = io.BytesIO()
  numpy.lib.format.write_array(text, array, **options)
  return text.getvalue()


@test
def version_2_of_the_format_is_read():
  reference()
  with folder() as where:
    with zipfile.ZipFile(where / "in.npz", "w") as archive:
      archive.writestr("a.npy", npy(numpy.arange(3.0), version=(2, 0)))
    success(run(where.write("copy.lua", COPY), where / "in.npz", where / "out.npz"))
    with numpy.load(where / "out.npz") as file:
      equal(file["a"].tolist(), [0, 1, 2])


@test
def what_cannot_be_read_is_named():
  reference()
  floats = numpy.arange(4, dtype="float32")
  cases = [
    ("objects", npy(numpy.array([{}], object), allow_pickle=True), "never read"),
    ("order", npy(floats.astype(">f4")), "big-endian"),
    ("columns", npy(numpy.asfortranarray(floats.reshape(2, 2))), "Fortran"),
    ("records", npy(numpy.zeros(2, [("a", "<f4")])), "records"),
    ("complex", npy(floats.astype("complex64")), "'<c8'"),
    ("cut", npy(floats)[:-1], "do not fill"),
    ("long", npy(floats) + b"\0", "do not fill"),
    ("header", npy(floats)[:20], "damaged"),
    ("rank", npy(numpy.zeros((1,) * 7)), "more than 6 axes"),
    ("texts", npy(numpy.array([["a", "b"]])), "2 axes"),
    ("surrogate", npy(numpy.array(["a"])).replace(b"a\0\0\0", b"\0\xd8\0\0"), "not Unicode"),
    ("truth", npy(numpy.array([True])).replace(b"\1", b"\1")[:-1] + b"\2", "a bool is 0 or 1"),
    ("text", b"hello, this is no array", "no array of numpy"),
  ]
  with folder() as where:
    script = where.write("copy.lua", COPY)
    for name, content, message in cases:
      with zipfile.ZipFile(where / "in.npz", "w") as archive:
        archive.writestr(name + ".npy", content)
      result = run(script, where / "in.npz", where / "out.npz")
      equal(result.returncode, 1, name)
      contains(result.stderr, "in.npz", f"'{name}.npy'", message)
    with zipfile.ZipFile(where / "in.npz", "w") as archive:
      archive.writestr("a.txt", "x")
    contains(run(script, where / "in.npz", where / "out.npz").stderr, "'a.txt' is no array")
    contains(run(script, where.write("in", "PK, but no archive"), where / "out.npz").stderr, "no archive of arrays")
    contains(run(script, where / "absent.npz", where / "out.npz").stderr, "absent.npz")


@test
def damaged_data_is_noticed():
  reference()
  with folder() as where:
    numpy.savez_compressed(where / "in.npz", a=numpy.arange(1000))
    whole = read_bytes(where / "in.npz")
    script = where.write("copy.lua", COPY)
    success(run(script, where / "in.npz", where / "out.npz"))
    damaged = bytearray(whole)
    damaged[200] ^= 4
    where.write("in.npz", bytes(damaged))
    equal(run(script, where / "in.npz", where / "out.npz").returncode, 1)


@test
def names_are_there_once():
  with folder() as where:
    script = where.write("copy.lua", COPY)
    for first, second in ((b"a.npy", b"a.npy"), ("\u00e9.npy".encode(), b"\x82.npy")):  # one in UTF-8, one in CP437
      with zipfile.ZipFile(where / "in.npz", "w") as archive:
        archive.writestr(first.decode(), TRUTH)
        archive.writestr("?" * (len(second) - 4) + ".npy", TRUTH)
      content = read_bytes(where / "in.npz").replace(b"?" * (len(second) - 4) + b".npy", second)
      with open(where / "in.npz", "wb") as file:
        file.write(content)
      contains(run(script, where / "in.npz", where / "out.npz").stderr, "in.npz", "no archive of arrays", "exists")


@test
def what_cannot_be_written_is_named():
  with folder() as where:
    for value, message in (
      ('{ a = icl.tensor({ 1 }, { dtype = "bf16" }) }', "numpy has no bf16; cast it to f32"),
      ("{ a = 1 }", "'a' is 1; it must be a tensor or a list of texts"), ('{ a = { "x", 2 } }', "a: 2 is no text"),
      ('{ a = { "\\xff" } }', "not UTF-8"), ('{ ["a\\0b"] = { "x" } }', "zero byte"), ('{ a = { b = "x" } }', "'b'"),
      ("{ icl.zeros { 1 } }", "the names of arrays: 1 is no text"),
    ):
      script = where.write("write.lua", f'local icl = require "icl"\nrequire "icl.core".npz_write(arg[1], {value})')
      result = run(script, where / "out.npz")
      equal(result.returncode, 1, value)
      contains(result.stderr, message)
    script = where.write("write.lua", 'require "icl.core".npz_write(arg[1], {})')
    contains(run(script, where / "no/such/folder.npz").stderr, "no/such/folder.npz")


close()
