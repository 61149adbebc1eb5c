"""Runs while calls of the system fail, one after the other: a run says so and goes on, or ends with code 1; whatever it
does, it can go on afterwards, and ends as if nothing had failed.

  test_run_failures.py          what the suite runs
  test_run_failures.py --long   each call, which takes hours; `--part 2/10` those of a tenth, to be run one by one,
                                `--calls malloc,mmap` those of some kinds
"""

import os
import resource
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import (ICL, Skip, close, environment, equal, folder, run, sanitized, success, tensors, test,  # noqa: E402
                     word_behind)

LONG = "--long" in sys.argv
sys.argv = [word for word in sys.argv if word != "--long"]
PART, PARTS = (int(number) for number in word_behind("--part", "1/1").split("/"))
LIBRARY = os.path.join(os.path.dirname(ICL), "tests", "failing.so")
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "running.lua")
CALLS = word_behind("--calls", "write,fsync,rename,link,open,mmap,thread,mkdir,flock,malloc").split(",")
SAMPLE = 6  # calls of a kind that fail in the suite


def attempt(*words, **variables):
  env = environment(**{name: str(value) for name, value in variables.items()})
  return run("--threads", "1", PROGRAM, *words, env=env)


class places(folder):
  """Folders: one of a run that was not disturbed, one of a run that ended in its second step."""

  def __enter__(self):
    super().__enter__()
    success(attempt("--output", self / "whole"))
    equal(attempt("--output", self / "half", STOP=1).returncode, 1)
    return self

  def now(self, resumes):
    """A fresh folder for a run, and the words that name it."""
    shutil.rmtree(self / "now", ignore_errors=True)
    if resumes:
      shutil.copytree(self / "half", self / "now")
    return ("--resume" if resumes else "--output", self / "now")

  def ends_as_whole(self):
    for name in ("weights", "checkpoints/last", "checkpoints/best"):
      equal(tensors(self / f"now/{name}.safetensors") == tensors(self / f"whole/{name}.safetensors"), True, name)
    left = [name for _, _, names in os.walk(self / "now") for name in names if name.endswith(".tmp")]
    equal(left, [])


def check(here, result):
  """What must hold whatever failed."""
  before = result.returncode == 2 and "--output: " in result.stderr  # it did not begin
  assert before or result.returncode in (0, 1), f"it ended with {result.returncode}"
  if result.returncode != 0:
    assert result.stderr.strip(), "it failed without a message"
    if os.path.exists(here / "now/options.lua"):
      success(attempt("--resume", here / "now"))
    else:
      shutil.rmtree(here / "now", ignore_errors=True)
      success(attempt("--output", here / "now"))
  here.ends_as_whole()


def chosen(count):
  """The calls of those that fail."""
  if LONG or count <= SAMPLE:
    return range(PART, count + 1, PARTS)
  return sorted({1 + at * (count - 1) // (SAMPLE - 1) for at in range(SAMPLE)})


def every(here, resumes, call, times):
  """Lets calls of this kind fail, alone (times 1) or with all that follow (0); -> how many calls, how many failed runs,
  what went wrong."""
  library = {"LD_PRELOAD": LIBRARY, "FAIL_CALL": call}
  success(attempt(*here.now(resumes), FAIL_COUNT=here / "count", **library))
  with open(here / "count", encoding="ascii") as file:
    count = int(file.read())
  failures, wrong = 0, []
  for at in chosen(count):
    result = attempt(*here.now(resumes), FAIL_AT=at, FAIL_TIMES=times, **library)
    failures += result.returncode != 0
    try:
      check(here, result)
    except Exception as error:
      what = f"{call} {at} of {count}, {'alone' if times else 'and all later ones'}"
      wrong.append(f"{what}: {error}\n{result.stdout}{result.stderr}")
  return count, failures, wrong


def every_call(resumes):
  if sanitized():
    raise Skip("a sanitizer's own library must be the first that is loaded")
  wrong, counted, failed = [], 0, 0
  with places() as here:
    for call in CALLS:
      for times in (1, 0) if LONG else (1,):
        count, failures, faults = every(here, resumes, call, times)
        counted, failed, wrong = counted + count, failed + failures, wrong + faults
        if LONG:
          print(f"{call}: {len(chosen(count))} of {count} calls, {failures} runs failed", flush=True)
  assert not wrong, "\n".join(wrong)
  assert counted and failed, (counted, failed)


@test
def a_run():
  every_call(False)


@test
def a_run_that_goes_on():
  every_call(True)


# ---- a disk that is full ----


def trains_on_unsaved(result, code):
  """The run says once that it could not be saved, and comes to its end."""
  equal(result.returncode, code, result.stdout + result.stderr)
  equal(result.stderr.count("the state could not be saved"), 1, result.stderr)
  equal("the end of the run could not be saved" in result.stderr, code == 1, result.stderr)


@test
def a_file_that_may_not_grow():
  with places() as here:
    def limit():
      resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))
    where = here / "now"
    result = run("--threads", "1", PROGRAM, "--output", where, "--no-tensorboard", before=limit)
    trains_on_unsaved(result, 1)
    listed = run("runs", where).stdout
    equal("failed" in listed, True, listed)
    success(attempt("--resume", where))
    here.ends_as_whole()


@test
def a_full_disk():
  with places() as here:
    os.mkdir(here / "now")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", here / "now"], check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if mounted.returncode != 0:
      raise Skip(f"no small disk can be mounted here: {mounted.stdout.strip()}")
    try:
      for free in (False, True):
        where, ballast = here / f"now/{free}", here / "now/ballast"
        with open(ballast, "wb") as file:
          file.write(bytes((2 << 20) - (64 << 10)))  # room for the small files of a run
        result = attempt("--output", where, "--no-tensorboard", **({"FREE": ballast} if free else {}))
        trains_on_unsaved(result, 0 if free else 1)
        if not free:
          os.remove(ballast)
          success(attempt("--resume", where))
        equal(tensors(f"{where}/weights.safetensors") == tensors(here / "whole/weights.safetensors"), True)
        shutil.rmtree(where)
    finally:
      subprocess.run(["umount", here / "now"], check=True)


close()
