"""Programs that are killed: while they save there is always a whole file, and the next save clears up; a run that is
killed at any moments, and goes on each time, ends as one that was not.

  test_kills.py [--kills N] [--run-kills N]
"""

import json
import os
import random
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import (close, environment, equal, folder, read_bytes, run, start, success, tensors, test,  # noqa: E402
                     wait_for, word_behind, write_image_folder)

HERE = os.path.dirname(os.path.abspath(__file__))


KILLS = int(word_behind("--kills", 25))
RUN_KILLS = int(word_behind("--run-kills", 10))

# Saves `arg[2]` times, or for ever.
SAVING = """local core = require "icl.core"
  local last, previous, best = arg[1] .. "/last", arg[1] .. "/previous", arg[1] .. "/best"
  local list = { { name = "a", tensor = core.full({ 1 << 18 }, 1) } }
  local function save()
    local writer = core.safetensors_write_start(last, list, nil, { keep = previous, links = { best } })
    assert(writer:wait())
  end
  save()
  print "begin" io.stdout:flush()
  for _ = 1, math.tointeger(arg[2]) or math.huge do save() end"""

VERIFY = """local core = require "icl.core"
  for _, name in ipairs { "last", "previous", "best" } do
    local whole, message = core.safetensors_verify(arg[1] .. "/" .. name)
    if not whole then print(message) end
  end"""


@test
def there_is_always_a_whole_file():
  moments = random.Random(1)
  with folder() as here:
    success(run("-e", SAVING, here.path, "1"))
    for kill in range(KILLS):
      process = start("-e", SAVING, here.path)
      wait_for("begin", process)
      time.sleep(moments.random() * 0.05)
      process.kill()
      process.communicate()
      equal(success(run("-e", VERIFY, here.path)), "", f"kill {kill}")
      left = [name for name in os.listdir(here.path) if name.endswith(".tmp")]
      assert len(left) <= 2, f"kill {kill}: {left}"
    success(run("-e", SAVING, here.path, "1"))
    equal(sorted(os.listdir(here.path)), ["best", "last", "previous"])


# ---- a run ----


def recorded(where):
  """The lines of metrics.jsonl without what a clock says."""
  with open(os.path.join(where, "metrics.jsonl"), encoding="utf-8") as file:
    records = [json.loads(line) for line in file]
  for record in records:
    for name in ("seconds", "time", "images_per_second"):
      record.pop(name, None)
  return records


def files(where):
  """The names of the files of a run; event files, of which each start makes one, count once."""
  names = [os.path.relpath(os.path.join(path, name), where) for path, _, names in os.walk(where) for name in names]
  return sorted({"events" if name.startswith("events.out.tfevents") else name for name in names})


def ends_as(where, whole):
  for name in ("weights", "checkpoints/last", "checkpoints/best"):
    equal(tensors(f"{where}/{name}.safetensors") == tensors(f"{whole}/{name}.safetensors"), True, name)
  equal(recorded(where), recorded(whole))
  equal(files(where), files(whole))


class training(folder):
  """A folder with pictures, and what is trained on them."""

  def __enter__(self):
    super().__enter__()
    os.mkdir(self / "photos")
    write_image_folder(self / "photos", train=12)
    return self

  def words(self, where, every, *more):
    return (os.path.join(HERE, "killed.lua"), "--data", self / "photos", "--output", where, "--save-every", every,
            *more)


@test
def a_run_that_is_killed_ends_as_one_that_is_not():
  moments = random.Random(2)
  with training() as here:
    began = time.monotonic()
    success(run(*here.words(here / "whole", "1step")))
    takes = time.monotonic() - began
    kills = sittings = 0
    while kills < RUN_KILLS:
      where, every = here / "cut", moments.choice(["1step", "3steps", "1epoch", "0.01s"])
      shutil.rmtree(where, ignore_errors=True)
      process, text = start(*here.words(where, every)), f"{kills} kills, saved every {every}"
      for sitting in range(1 + RUN_KILLS % 7 + moments.randrange(8)):
        time.sleep(moments.random() * takes)
        process.kill()
        output, errors = process.communicate()
        equal(process.returncode in (0, -9), True, text + output + errors)
        kills += process.returncode == -9
        options = os.path.join(where, "options.lua")
        more = ("--resume", where) if os.path.exists(options) else ()
        if not more:
          shutil.rmtree(where, ignore_errors=True)
        process, sittings = start(*here.words(where, every, *more)), sittings + 1
      output, errors = process.communicate()
      equal(process.returncode, 0, text + output + errors)
      whole = here / ("whole-" + every)
      if not os.path.exists(whole):
        success(run(*here.words(whole, every)))
      try:
        ends_as(where, whole)
      except AssertionError as error:
        raise AssertionError(f"{text}: {error}\n{output}{errors}") from error


close()
