"""What the tests of the command line share: running icl, talking to it through a terminal, small data sets.

A test is a function under @test. close() runs them all, prints what failed and the closing line, and ends the program.
The variable ICL names the executable; a word on the command line runs only the tests with that word in their names.
"""

import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ICL = os.path.abspath(os.environ.get("ICL", os.path.join(ROOT, "build", "release", "icl")))
# Seconds until something that has to happen counts as not happening; sanitizers and busy machines are slow.
PATIENCE = float(os.environ.get("ICL_PATIENCE", 120))

_tests = []


class Skip(Exception):
  """Raised by a test that cannot run here; says why."""


def word_behind(option, missing):
  """The word behind an option of the command line, both of which are taken away; `missing` where it is not there."""
  if option not in sys.argv:
    return missing
  at = sys.argv.index(option)
  word = sys.argv[at + 1]
  del sys.argv[at:at + 2]
  return word


def test(function):
  _tests.append(function)
  return function


def close(needs_icl=True):
  """Runs the tests; `needs_icl` is false where they look at files alone."""
  if needs_icl and not os.access(ICL, os.X_OK):
    print(f"{ICL} is not an executable; the variable ICL names it")
    print("0 passed, 1 failed")
    sys.exit(1)
  words = sys.argv[1:]
  passed = failed = skipped = 0
  for function in _tests:
    if words and not any(word in function.__name__ for word in words):
      continue
    try:
      function()
      passed += 1
    except Skip as why:
      print(f"skipped: {function.__name__}: {why}")
      skipped += 1
    except Exception:
      print(f"FAILED: {function.__name__}")
      traceback.print_exc(file=sys.stdout)
      failed += 1
    sys.stdout.flush()
  print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
  sys.exit(1 if failed else 0)


def contains(text, *parts):
  for part in parts:
    assert part in text, f"{part!r} is not in:\n{text}"


def lacks(text, *parts):
  for part in parts:
    assert part not in text, f"{part!r} should not be in:\n{text}"


def equal(got, expected, text=""):
  assert got == expected, f"{got!r} instead of {expected!r}\n{text}"


# ---- folders and files ----


class folder:
  """A temporary folder that lasts as long as its with block; `write` puts a file into it."""

  def __enter__(self):
    self.path = tempfile.mkdtemp(prefix="icl-cli-")
    return self

  def __exit__(self, *_):
    shutil.rmtree(self.path)

  def __truediv__(self, name):
    return os.path.join(self.path, name)

  def write(self, name, content):
    with open(self / name, "wb") as file:
      file.write(content if isinstance(content, bytes) else content.encode())
    return self / name


def read_bytes(path):
  with open(path, "rb") as file:
    return file.read()


def tensors(path):
  """The bytes of the tensors in a safetensors file."""
  content = read_bytes(path)
  return content[8 + struct.unpack("<Q", content[:8])[0]:]


def write_idx(path, sizes, content):
  """An IDX file of bytes: what MNIST and its successors come as."""
  with open(path, "wb") as file:
    file.write(bytes([0, 0, 8, len(sizes)]) + b"".join(struct.pack(">I", size) for size in sizes) + content)


def write_mnist(where, train=256, test_images=64, size=28):
  """A set in the format of MNIST: ten classes, each a bright bar at a place of its own. Returns the folder."""
  for prefix, count in (("train", train), ("t10k", test_images)):
    images, labels = bytearray(), bytearray()
    for number in range(count):
      label = number * 7 % 10
      labels.append(label)
      first = 2 + label * 2
      for row in range(size):
        bright = first <= row < first + 4
        images += bytes((200 if bright else 20) + (row * 5 + column * 3 + number * 11) % 40 for column in range(size))
    write_idx(os.path.join(where, f"{prefix}-images-idx3-ubyte"), (count, size, size), bytes(images))
    write_idx(os.path.join(where, f"{prefix}-labels-idx1-ubyte"), (count,), bytes(labels))
  return where


CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
CIFAR_RECORDS = 10000


def cifar10_files():
  """CIFAR-10's binary files, { name: bytes }, with images that compress well."""
  names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
  files = {}
  for k, name in enumerate(names):
    files[name] = b"".join(bytes([(n + k) % 10]) + bytes([(n + k) % 256]) * 1024 + bytes([n % 256]) * 1024 +
                           bytes([k]) * 1024 for n in range(CIFAR_RECORDS))
  return files


def write_png(path, height, width, pixel):
  """A PNG file; pixel(y, x) is (red, green, blue)."""
  write_png_rows(path, height, width, b"".join(b"\0" + b"".join(bytes(pixel(y, x)) for x in range(width))
                                               for y in range(height)))


def write_png_rows(path, height, width, rows):
  """A PNG file of rows of RGB, each behind the number of its filter."""
  def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
  header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
  with open(path, "wb") as file:
    file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) +
               chunk(b"IEND", b""))


def write_image_folder(where, train=6, val=3):
  """Folders train and val, each with the classes cat and dog, of which one is brighter. Returns the folder."""
  for part, count in (("train", train), ("val", val)):
    for class_name, bright in (("cat", 60), ("dog", 150)):
      below = os.path.join(where, part, class_name)
      os.makedirs(below)
      for number in range(count):
        write_png(os.path.join(below, f"{number}.png"), 40 + number, 50,
                  lambda y, x: (bright + y, bright + x, (bright + 7 * number + x * y) % 256))
  return where


# ---- locales ----


def comma_locale(where):
  """Variables for a locale whose numbers have a comma, and its name; it is made in the folder if there is none."""
  name = "de_DE.UTF-8"
  try:
    listed = subprocess.run(["locale", "-a"], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    if "de_DE.utf8" in listed:
      return {}, name
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", os.path.join(where, name)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
  except FileNotFoundError as error:
    raise Skip(f"there is no {error.filename}") from error
  if not os.path.isfile(os.path.join(where, name, "LC_NUMERIC")):
    raise Skip(f"no locale with a comma is there, and none could be made: {made.stdout}")
  return {"LOCPATH": where}, name


# ---- running ----


def sanitized():
  """Was icl built with a sanitizer?"""
  content = read_bytes(ICL)
  return b"__asan_init" in content or b"__tsan_init" in content


def environment(**changes):
  """The variables a program gets: two threads, no history of the user, no colour settings, no folder for runs; what
  the variable ICL_PRELOAD names is loaded before it."""
  kept = {name: value for name, value in os.environ.items()
          if name.startswith(("ASAN_", "UBSAN_", "TSAN_", "LD_", "ICL_", "CUDASIM_", "XDG_CACHE_")) or name in ("PATH", "TMPDIR")}
  kept.pop("ICL_DATA", None)
  if "ICL_PRELOAD" in kept:  # which Python itself may not run with
    kept["LD_PRELOAD"] = kept["ICL_PRELOAD"]
  kept.update(HOME="/nonexistent", LANG="C.UTF-8", TERM="xterm", OMP_NUM_THREADS="2", ICL_RUNS="none")
  kept.update(changes)
  return kept


def run(*arguments, stdin=None, env=None, cwd=None, before=None):
  """Runs icl to its end; stdout and stderr of the result are text. `before` is called in the new process."""
  return subprocess.run([ICL, *arguments], input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", cwd=cwd,
                        env=env or environment(), preexec_fn=before, timeout=PATIENCE * 2)


def start(*arguments, env=None, cwd=None):
  """Starts icl with its output in pipes."""
  return subprocess.Popen([ICL, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=env or environment(), cwd=cwd)


def wait_for(line, process):
  """Reads the output of a process that was started up to a line with this text."""
  for text in process.stdout:
    if line in text:
      return
  raise AssertionError(process.stderr.read())


def ended(process):
  """Waits for the end of such a process; -> its code, the rest of its output, its messages."""
  output, errors = process.communicate(timeout=PATIENCE)
  return process.returncode, output, errors


def success(result):
  equal(result.returncode, 0, result.stdout + result.stderr)
  return result.stdout


def failure(result, code=1):
  """The messages of a program that failed as it should: no crash, nothing but text for people."""
  equal(result.returncode, code, result.stdout + result.stderr)
  lacks(result.stderr, "Sanitizer", "runtime error:")
  assert result.stderr.strip(), "it failed without a message"
  return result.stderr


# ---- a terminal ----

_escape = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78])")


class Terminal:
  """icl at a pseudo-terminal. `expect` waits for output, which is looked at without its control sequences."""

  def __init__(self, *arguments, env=None, cwd=None, columns=100):
    self.text, self.seen = "", 0
    self.pid, self.fd = pty.fork()
    if self.pid == 0:
      try:
        if cwd:
          os.chdir(cwd)
        os.execve(ICL, [ICL, *arguments], env or environment())
      finally:
        os._exit(127)
    self.resize(columns)
    self.status = None

  def __enter__(self):
    return self

  def __exit__(self, *_):
    if self.status is None:
      os.kill(self.pid, signal.SIGKILL)
      os.waitpid(self.pid, 0)
    os.close(self.fd)

  def resize(self, columns, rows=24):
    import fcntl
    import termios
    fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

  def send(self, text):
    os.write(self.fd, text.encode())

  def _read(self, seconds):
    """Waits for more output; False at its end."""
    if not select.select([self.fd], [], [], seconds)[0]:
      return True
    try:
      data = os.read(self.fd, 65536)
    except OSError:
      return False
    self.text += data.decode(errors="replace")
    return bool(data)

  def new(self):
    """The output that no expect has passed yet."""
    return _escape.sub("", self.text).replace("\r", "")[self.seen:]

  def expect(self, pattern):
    """Waits until the new output matches; returns the match and goes on behind it."""
    deadline = time.monotonic() + PATIENCE
    while True:
      match = re.search(pattern, self.new(), re.DOTALL)
      if match:
        self.seen += match.end()
        return match
      if time.monotonic() > deadline or not self._read(1.0):
        raise AssertionError(f"waited for {pattern!r}; the output since then:\n{self.new()}")

  def command(self, line, answer=""):
    """Enters a line and waits for the next prompt; what comes between must match `answer`, and is returned."""
    self.send(line + "\n")
    output = self.expect(r".*?\nicl> ").group(0)
    assert re.search(answer, output, re.DOTALL), f"{answer!r} does not match:\n{output}"
    return output

  def end(self):
    """Waits for the end of the program; returns its exit code, -n for a signal."""
    deadline = time.monotonic() + PATIENCE
    while self._read(0.1) and time.monotonic() < deadline:
      pass
    while True:
      pid, status = os.waitpid(self.pid, os.WNOHANG)
      if pid:
        self.status = os.waitstatus_to_exitcode(status)
        return self.status
      assert time.monotonic() < deadline, "the program does not end; its last output:\n" + self.new()[-2000:]
      time.sleep(0.02)
