"""safetensors files against the reference implementation, the Python package safetensors with numpy."""

import random
import struct

from harness import Skip, close, contains, equal, folder, read_bytes, run, success, test

try:
  import numpy
  import safetensors
  import safetensors.numpy
except ImportError as error:
  safetensors, missing = None, str(error)


def reference():
  if safetensors is None:
    raise Skip(f"{missing}; pip install safetensors numpy")


def frame(header, data):
  """A file with this header, which need not be right."""
  return struct.pack("<Q", len(header)) + header + data


COPY = """
local core = require "icl.core"
local list, metadata = core.safetensors_read(arg[1])
core.safetensors_write(arg[2], list, metadata)
"""


def copy(where, path):
  """The bytes of a file that icl read and wrote."""
  success(run(where.write("copy.lua", COPY), path, where / "copy"))
  return read_bytes(where / "copy")


@test
def equal_contents_are_equal_files():
  reference()
  tensors = {
    "layer1.0.conv1.weight": numpy.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype("float32"),
    "layer1.0.bn1.num_batches_tracked": numpy.array(7, "int64"),
    "half": numpy.array([1.5, numpy.nan, -numpy.inf], "float16"),
    "double": numpy.array([[0.1]], "float64"),
    "a.int": numpy.array([-2**31, 2**31 - 1], "int32"),
    "bytes": numpy.arange(5, dtype="uint8"),
    "mask": numpy.array([True, False, True]),
    "empty": numpy.zeros((2, 0, 3), "float32"),
    'quote " slash \\ / and \u00e9': numpy.zeros(1, "float32"),
  }
  with folder() as where:
    for metadata in (None, {"format": "pt"}):
      safetensors.numpy.save_file(tensors, where / "reference", metadata=metadata)
      equal(copy(where, where / "reference"), read_bytes(where / "reference"))


@test
def what_icl_writes_is_read_by_the_reference():
  reference()
  with folder() as where:
    script = where.write("write.lua", """
      local core = require "icl.core"
      local new = core.new_tensor
      core.safetensors_write(arg[1], {
        { name = "w", tensor = new({ 1.5, -2, 3, 4, 5, 6 }, "f32", { 2, 3 }) },
        { name = "n", tensor = new(9007199254740993, "i64", {}) },
        { name = "b", tensor = new({ 1, 0.5 }, "bf16", { 2 }) },
        { name = "m", tensor = new({ 1, 0 }, "bool", { 2 }) },
      }, { epoch = "3", arch = "resnet" })""")
    success(run(script, where / "file"))
    tensors = dict(safetensors.deserialize(read_bytes(where / "file")))
    equal(sorted(tensors), ["b", "m", "n", "w"])
    equal(tensors["w"]["shape"], [2, 3])
    equal(bytes(tensors["w"]["data"]), struct.pack("<6f", 1.5, -2, 3, 4, 5, 6))
    equal(tensors["n"]["shape"], [])
    equal(bytes(tensors["n"]["data"]), struct.pack("<q", 9007199254740993))
    equal(tensors["b"]["dtype"], "BF16")
    equal(bytes(tensors["b"]["data"]), b"\x80\x3f\x00\x3f")
    equal(bytes(tensors["m"]["data"]), b"\1\0")
    with safetensors.safe_open(where / "file", "numpy") as file:
      equal(file.metadata(), {"epoch": "3", "arch": "resnet"})


# ---- damaged files: what the reference refuses, icl refuses ----

SEEDS = [
  (b'{"conv.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}', bytes(8)),
  (b'{"__metadata__":{"format":"pt"},"a":{"dtype":"U8","shape":[3],"data_offsets":[4,7]},'
   b'"b":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}', bytes(range(7))),
  (b'{"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"e":{"dtype":"F64","shape":[0,5],"data_offsets":[8,8]},'
   b'"t":{"dtype":"BOOL","shape":[2,1],"data_offsets":[8,10]}}   ', bytes(10)),
]
WORDS = [b"[]", b"{}", b"0", b"-1", b"1.0", b"1e9", b"null", b"2147483648", b"18446744073709551616", b'"F8_E4M3"',
         b'"U8"', b"\\u0000", b"\\ud800", b"\xff", b",", b":", b'"', b"}", b"\t", b'"dtype"', b'"__metadata__"',
         b"[0,1]"]

# What the reference lets pass: truth values of 2, spaces before the header, names with a zero byte, and a key that is
# there twice.
STRICTER = ["a BOOL is 0 or 1", "does not begin with {", "NUL byte in object key",
            "\\u0000 is not allowed", "duplicate object key"]


def damaged(number):
  """A file with a few random changes; always the same for a number."""
  draw = random.Random(number)
  header, data = map(bytearray, draw.choice(SEEDS))
  for _ in range(draw.randrange(4)):
    at = draw.randrange(len(header) + 1)
    kind = draw.randrange(5)
    if kind == 0:
      header[at:at] = draw.choice(WORDS)
    elif kind == 1:
      header[at:at + draw.randrange(8)] = draw.choice(WORDS)
    elif kind == 2:
      del header[at:at + draw.randrange(20)]
    elif kind == 3:
      digits = [place for place, byte in enumerate(header) if 48 <= byte < 58]
      if digits:
        header[draw.choice(digits)] = 48 + draw.randrange(10)
    else:
      data = data[:draw.randrange(len(data) + 1)] + bytes(draw.randrange(3))
  return frame(bytes(header), bytes(data))


def contents(file):
  """What the reference reads, or None if it refuses."""
  try:
    return {name: (value["dtype"], value["shape"], bytes(value["data"]))
            for name, value in safetensors.deserialize(file)}
  except safetensors.SafetensorError:
    return None


def converted(tensors):
  """Values where icl keeps the dtype; of F8_E4M3, which becomes F32, names and shapes."""
  kinds = {"F8_E4M3": "F32"}
  return {name: (shape, None if kinds.get(dtype, dtype) == "F32" else data)
          for name, (dtype, shape, data) in tensors.items()}


@test
def integers_of_other_sizes_are_converted():
  reference()
  tensors = {name: numpy.array([numpy.iinfo(name).min, 1, numpy.iinfo(name).max >> (name == "uint64")], name)
             for name in ("int8", "int16", "uint16", "uint32", "uint64")}
  with folder() as where:
    safetensors.numpy.save_file(tensors, where / "odd")
    copy(where, where / "odd")
    for name, value in safetensors.numpy.load_file(where / "copy").items():
      equal(value.dtype.name, "int64" if name in ("uint32", "uint64") else "int32")
      equal(value.tolist(), tensors[name].tolist())


@test
def damaged_files_are_refused_as_by_the_reference():
  reference()
  count = 1500
  files = [damaged(number) for number in range(count)]
  with folder() as where:
    for number, file in enumerate(files):
      where.write(str(number), file)
    script = where.write("read.lua", """
      local core = require "icl.core"
      for number = 0, arg[2] - 1 do
        local path = arg[1] .. "/" .. number
        local ok, list, metadata = pcall(core.safetensors_read, path)
        local problem
        for _, item in ipairs(ok and list or {}) do problem = problem or item.problem end
        if not ok then
          print((list:gsub("\\n", " ")))
        elseif problem then
          print("listed: " .. problem)
        else
          core.safetensors_write(path .. ".copy", list, metadata)
          print "accepted"
        end
      end""")
    messages = success(run(script, where.path, str(count))).splitlines()
    equal(len(messages), count)
    accepted = refused = 0
    for number, (file, message) in enumerate(zip(files, messages)):
      expected = contents(file)
      if message == "accepted":
        accepted += 1
        assert expected is not None, f"the reference refuses file {number}: {file!r}"
        equal(converted(contents(read_bytes(where / f"{number}.copy"))), converted(expected))
      elif message.startswith("listed: "):
        contains(message, "icl reads")
      else:
        refused += 1
        contains(message, where / f"{number}: ")
        assert expected is None or any(reason in message for reason in STRICTER), f"{message}: {file!r}"
    assert accepted > count // 10 and refused > count // 10, f"{accepted} accepted, {refused} refused"


close()
