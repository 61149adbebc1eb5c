"""Saving while calls of the system fail, one after the other: what is saved is whole, and what is not is said.

  test_failures.py          what the suite runs
  test_failures.py --long   each call of each program, from its first instruction on
"""

import json
import os
import resource
import signal
import struct
import subprocess
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import (ICL, Skip, close, contains, environment, equal, folder, read_bytes, run, sanitized,  # noqa: E402
                     success, test)

LONG = "--long" in sys.argv
sys.argv = [word for word in sys.argv if word != "--long"]
HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = os.path.join(os.path.dirname(ICL), "tests", "failing.so")
PROGRAM = os.path.join(HERE, "saving.lua")
CALLS = ("write", "fsync", "rename", "link", "open", "mmap", "thread", "malloc")

WRITE = """local core = require "icl.core"
  core.safetensors_write(arg[1] .. "/last", { { name = "a", tensor = core.full({ 4 }, 1) },
    { name = "b", tensor = core.full({ 4 }, 1) } }, { checksum = "crc32" })"""


def value_of(path):
  """The first number of a file, which must be whole by its checksum."""
  content = read_bytes(path)
  end = 8 + struct.unpack("<Q", content[:8])[0]
  said = json.loads(content[8:end])["__metadata__"]["checksum"]
  equal(said, f"crc32:{zlib.crc32(content.replace(said.encode(), b'crc32:00000000', 1)):08x}", path)
  return struct.unpack("<f", content[end:end + 4])[0]


def saved_in(where):
  """The values of the files that are there, all whole: { name: value }."""
  return {name: value_of(os.path.join(where, name)) for name in ("last", "previous", "best")
          if os.path.exists(os.path.join(where, name))}


def attempt(where, way, **variables):
  """Runs the program in a folder with an old file of value 1, with these variables."""
  env = environment(LD_PRELOAD=LIBRARY, **{name: str(value) for name, value in variables.items()})
  return run(PROGRAM, where, way, env=env)


def fill(here):
  """A folder with the old file, which is made once for each test."""
  old = here / "old"
  os.mkdir(old)
  success(run("-e", WRITE, old))
  return os.path.join(old, "last")


def fresh(here, old):
  where = here / "now"
  subprocess.run(["rm", "-rf", where], check=True)
  os.mkdir(where)
  with open(old, "rb") as source, open(os.path.join(where, "last"), "wb") as target:
    target.write(source.read())
  return where


# What a program leaves that got to its end.
ENDS = {"beside": {"last": 2, "previous": 1, "best": 2}, "here": {"last": 2, "previous": 1, "best": 2},
        "collected": {"last": 2, "previous": 1, "best": 2}, "training": {"last": 2, "previous": 2, "best": 2},
        "files": {"last": 1}, "reading": {"last": 1}}


def check(where, result, way):
  """What must hold whatever failed."""
  assert result.returncode in (0, 1), f"it ended with {result.returncode}"
  saved, names = saved_in(where), os.listdir(where)
  left = [name for name in names if name.endswith(".tmp")]
  equal(left, [], result.stderr)
  if result.returncode == 1:
    assert result.stderr.strip(), "it failed without a message"
    assert "last" in saved and (way == "training" or 1 in (saved["last"], saved.get("previous"))), saved
  elif not (way == "collected" and "icl: warning: " in result.stderr):
    equal(saved, ENDS[way], result.stderr)


def count_calls(here, old, way, call, **variables):
  attempt_count = here / "count"
  success(attempt(fresh(here, old), way, FAIL_CALL=call, FAIL_COUNT=attempt_count, **variables))
  with open(attempt_count, encoding="ascii") as file:
    return int(file.read())


def every(way, call, times, **variables):
  """Lets each call of this kind fail, alone (times 1) or with all that follow (0)."""
  if sanitized():
    raise Skip("a sanitizer's own library must be the first that is loaded")
  with folder() as here:
    old = fill(here)
    count = count_calls(here, old, way, call, **variables)
    failures = 0
    for at in range(1, count + 1):
      where = fresh(here, old)
      result = attempt(where, way, FAIL_CALL=call, FAIL_AT=at, FAIL_TIMES=times, **variables)
      failures += result.stderr != ""
      if variables and result.returncode == -signal.SIGABRT and "bad_alloc" in result.stderr:
        continue  # oneDNN ends the process when it gets no memory while the engine starts
      try:
        check(where, result, way)
      except Exception as error:
        what = f"{way}: {call} {at} of {count}, {'alone' if times else 'and all later ones'}"
        raise AssertionError(f"{what}: {error}\n{result.stderr}") from error
    return count, failures


def every_call(way, calls=CALLS):
  """The same for all kinds; something must have been counted, and something have failed."""
  counted = failed = 0
  for call in calls:
    for times in (1, 0) if LONG or call != "malloc" else (1,):
      count, failures = every(way, call, times)
      counted, failed = counted + count, failed + failures
  assert counted and failed, (counted, failed)


@test
def a_save_beside_the_program():
  every_call("beside")


@test
def a_save_that_nobody_waits_for():
  every_call("collected", ("write", "rename", "thread"))


@test
def a_save_here():
  every_call("here", CALLS if LONG else ("write", "rename", "open"))


@test
def a_training_that_saves_after_each_step():
  every_call("training", CALLS if LONG else ("write", "rename", "thread"))


@test
def folders_and_locks():
  every_call("files", CALLS if LONG else ("write", "fsync", "rename", "open"))


@test
def reading():
  every_call("reading", ("open", "mmap", "malloc"))


@test
def memory_that_is_out_from_the_first_instruction_on():
  if not LONG:
    raise Skip("only with --long")
  for way in ("beside", "files"):
    every(way, "malloc", 0, FAIL_ARMED=1)


# ---- a disk that is full ----


def save_where_little_fits(where, **options):
  """A save of more than there is room for; the old file stays, and nothing else is left."""
  success(run("-e", WRITE, where))
  result = run(PROGRAM, where, "beside", **options)
  equal(result.returncode, 1, result.stderr)
  contains(result.stderr, "last: cannot write it")
  equal(saved_in(where), {"last": 1})
  equal([name for name in os.listdir(where) if name.endswith(".tmp")], [])


@test
def a_file_that_may_not_grow():
  with folder() as here:
    save_where_little_fits(here.path, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000)))


@test
def a_full_disk():
  with folder() as here:
    disk = here / "disk"
    os.mkdir(disk)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, check=False)
    if mounted.returncode != 0:
      raise Skip(f"no small disk can be mounted here: {mounted.stdout.strip()}")
    try:
      save_where_little_fits(disk)
      success(run("-e", WRITE, disk))
    finally:
      subprocess.run(["umount", disk], check=True)


close()
