"""The kernels of the CUDA backend as nvcc makes them for every generation of GPUs, without a GPU.

  test_machine_code.py NVCC FOLDER [ARCHITECTURE...]

Spills, local memory and double precision are errors of the assembler, but for files called wide_*, whose ops are
defined in f64. Then the rules below hold for what the machine code of each kernel does. Cubins are kept in FOLDER,
and made again when a source is newer.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from cubin import kernels

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCES = os.path.join(ROOT, "core/backend/cuda/kernels")
ARCHITECTURES = ["75", "80", "86", "89", "90", "100", "120"]

# (kernels whose name matches, what must hold). A count that is not there is 0.
RULES = [
  (r"", "local == 0, frame == 0, registers <= 128"),
  (r"^(?!.*(normal|f64|bn_sums))", "double == 0"),
  (r"bn_sums<8>", "ldg128 >= 4, registers <= 128, double <= 32"),
  (r"bn_scale_sums<8>", "ldg128 >= 4, registers <= 128"),
  (r"bn_apply<.*, 8, 2>", "ldg128 >= 2, stg128 >= 2, ldg_narrow == 0, stg_narrow == 0, registers <= 128"),
  (r"pool(_grad)?<.*\b8>", "ldg128 >= 1, stg128 >= 1, ldg_narrow == 0, stg_narrow == 0"),
  (r"chain_f32", "ldg128 >= 2, stg128 >= 1, registers <= 64"),
  (r"chains_f32", "ld128 >= 2, st128 >= 1, registers <= 64"),
  (r"^transposes", "ld128 >= 1, st128 >= 1, registers <= 80"),
  (r"bind_leaves", "ldg128 >= 1, stg128 >= 1"),
  (r"find_nan", "ldg128 >= 1, registers <= 64"),
  (r"move_turned", "ldg >= 8, stg >= 8, bar == 1, registers <= 80"),
  (r"move_elements<uint4>|gather<uint4>|flip<uint4>", "ldg128 >= 1, stg128 >= 1, ldg_narrow <= 1"),
  (r"", "red == 0"),
]


def newest(folder):
  return max(os.path.getmtime(os.path.join(folder, name)) for name in os.listdir(folder))


def build(nvcc, source, architecture, folder):
  """The path of the cubin, and what nvcc complained about."""
  name = os.path.splitext(source)[0]
  cubin = os.path.join(folder, f"{name}.sm_{architecture}.cubin")
  if os.path.exists(cubin) and os.path.getmtime(cubin) > newest(SOURCES):
    return cubin, ""
  strict = ["--warn-on-spills", "--warn-on-local-memory-usage", "-Werror"]
  if not name.startswith("wide_"):
    strict.append("--warn-on-double-precision-use")
  command = [nvcc, "-std=c++17", "-cubin", f"-arch=sm_{architecture}", "-Werror", "all-warnings",
             "-Xptxas", ",".join(strict), "-I", os.path.join(ROOT, "core"), os.path.join(SOURCES, source), "-o", cubin]
  run = subprocess.run(command, capture_output=True, text=True)
  return cubin, run.stdout + run.stderr if run.returncode else ""


def broken(facts, conditions):
  """The conditions that do not hold, with what is there instead."""
  found = []
  for condition in conditions.split(", "):
    name, relation, limit = condition.split()
    value = facts.get(name, 0)
    if not {"==": value == int(limit), "<=": value <= int(limit), ">=": value >= int(limit)}[relation]:
      found.append(f"{condition}, but it is {value}")
  return found


def check(cubin):
  """(kernels, complaints) of one file."""
  found = kernels(cubin)
  complaints = []
  for name, facts in found.items():
    for pattern, conditions in RULES:
      if re.search(pattern, name):
        complaints += [f"{os.path.basename(cubin)}: {name}: {what}" for what in broken(facts, conditions)]
  return found, complaints


def main(nvcc, folder, *architectures):
  os.makedirs(folder, exist_ok=True)
  sources = sorted(name for name in os.listdir(SOURCES) if name.endswith(".cu"))
  work = [(source, architecture) for source in sources for architecture in architectures or ARCHITECTURES]
  with ThreadPoolExecutor(os.cpu_count()) as pool:
    built = list(pool.map(lambda item: build(nvcc, *item, folder), work))
  passed = failed = 0
  matched = set()
  for cubin, error in built:
    found, complaints = ({}, [f"{os.path.basename(cubin)}: {error.strip()}"]) if error else check(cubin)
    matched |= {pattern for pattern, _ in RULES if any(re.search(pattern, name) for name in found)}
    for complaint in complaints:
      print(f"failed: {complaint}")
    failed += len(complaints)
    passed += len(found)
  for pattern, _ in RULES:
    if pattern not in matched:
      print(f"failed: no kernel is called like the rule for '{pattern}'")
      failed += 1
  print(f"{passed} passed, {failed} failed")
  return failed > 0


if __name__ == "__main__":
  sys.exit(main(*sys.argv[1:]))
