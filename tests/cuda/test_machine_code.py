"""The kernels in libicl_cuda.so as nvcc made them for every generation of GPUs, and what else the plug-in is made of.

  test_machine_code.py LIBRARY DOUBLE [ARCHITECTURE...]

The rules below hold for what the machine code of each kernel does; no GPU runs it. What the plug-in needs of NVIDIA's
runtime is in DOUBLE, the simulator's libcudart.so, and it is linked with no other library of theirs.
"""

import re
import subprocess
import sys

from cubin import cubins, kernels

ARCHITECTURES = ["75", "80", "86", "89", "90", "100", "120"]

# (kernels whose name matches, what must hold). A count that is not there is 0.
RULES = [
  (r"", "local == 0, frame == 0, registers <= 128"),
  (r"^(?!.*(normal|f64|<double>|bn_sums|join_tables))", "double == 0"),
  (r"bn_sums<8>", "ldg128 >= 4, registers <= 128, double <= 32"),
  (r"bn_scale_sums<8>", "ldg128 >= 4, registers <= 128"),
  (r"bn_apply<.*, 8, 2>", "ldg128 >= 2, stg128 >= 2, ldg_narrow == 0, stg_narrow == 0, registers <= 128"),
  (r"global_pool<.*\b8>", "ldg128 >= 1"),
  (r"^(?!.*global_pool<).*pool(_grad)?<.*\b8>", "ldg128 >= 1, stg128 >= 1, ldg_narrow == 0, stg_narrow == 0"),
  (r"chain_f32", "ldg128 >= 2, stg128 >= 1, registers <= 64"),
  (r"chains_f32", "ld128 >= 2, st128 >= 1, registers <= 64"),
  (r"^transposes", "ld128 >= 1, st128 >= 1, registers <= 80"),
  (r"bind_leaves", "ldg128 >= 1, stg128 >= 1"),
  (r"find_nan", "ldg128 >= 1, registers <= 64"),
  (r"move_turned", "ldg >= 8, stg >= 8, bar == 1, registers <= 80"),
  (r"move_elements<uint4>|gather<uint4>|flip<uint4>", "ldg128 >= 1, stg128 >= 1, ldg_narrow <= 1"),
  (r"", "red == 0"),
]


def broken(facts, conditions):
  """The conditions that do not hold, with what is there instead."""
  found = []
  for condition in conditions.split(", "):
    name, relation, limit = condition.split()
    value = facts.get(name, 0)
    if not {"==": value == int(limit), "<=": value <= int(limit), ">=": value >= int(limit)}[relation]:
      found.append(f"{condition}, but it is {value}")
  return found


def check(name, facts):
  """What is wrong with a kernel."""
  return [what for pattern, conditions in RULES if re.search(pattern, name) for what in broken(facts, conditions)]


def symbols(library, which):
  run = subprocess.run(["nm", "-D", which, library], capture_output=True, text=True, check=True)
  return {line.split()[-1].split("@")[0] for line in run.stdout.splitlines()}


def needed(library):
  run = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True)
  return set(re.findall(r"\(NEEDED\).*\[(.*)\]", run.stdout))


def links(library, double):
  """(what holds, what does not) of how the plug-in is linked."""
  wanted = {name for name in symbols(library, "--undefined-only") if re.match(r"_*cu(da|dnn|blas)|cu[A-Z]", name)}
  foreign = {name for name in needed(library) if re.match(r"lib(cu|nv)", name)} - {"libcudart.so.13"}
  missing = wanted - symbols(double, "--defined-only")
  complaints = [f"the double of the runtime has no {name}" for name in sorted(missing)]
  complaints += [f"the plug-in is linked with {name}" for name in sorted(foreign)]
  return len(wanted - missing), complaints + ([] if wanted else ["the plug-in calls nothing of the runtime"])


def main(library, double, *architectures):
  passed, complaints = links(library, double)
  seen, matched = set(), set()
  for architecture, cubin in cubins(library):
    seen.add(str(architecture))
    for name, facts in kernels(cubin).items():
      complaints += [f"sm_{architecture}: {name}: {what}" for what in check(name, facts)]
      matched |= {pattern for pattern, _ in RULES if re.search(pattern, name)}
      passed += 1
  complaints += [f"no code for sm_{missing}" for missing in sorted(set(architectures or ARCHITECTURES) - seen)]
  complaints += [f"no kernel is called like the rule for '{pattern}'" for pattern, _ in RULES if pattern not in matched]
  for complaint in complaints:
    print(f"failed: {complaint}")
  print(f"{passed} passed, {len(complaints)} failed")
  return bool(complaints)


if __name__ == "__main__":
  sys.exit(main(*sys.argv[1:]))
