"""Plants one bug after another in the CUDA kernels and looks whether the tests notice.

  cmake --build --preset release --target cudasim
  run.py BUILD [NAME...]

BUILD is the folder of a build by make. A bug is a replacement in one file of core/backend/cuda/kernels; the sources
that it takes part in are compiled again, and the tests of the ops it shows in are run. `flavour` is the first that
must notice. On demand: it takes some minutes. Results: README.md.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
KERNELS = os.path.join(ROOT, "core/backend/cuda/kernels")
INCLUDES = [os.path.join(ROOT, "core"), os.path.join(ROOT, "tests/cudasim")]
# flavour: of the kernels, the program that runs them
PROGRAMS = {
  "plain": ("plain", "test_cuda_kernels_plain"),
  "asan": ("asan", "test_cuda_kernels_asan"),
  "tsan": ("tsan", "test_cuda_kernels_tsan"),
  "bytes": ("tsan", "test_cuda_bytes"),
}
FLAGS = {
  "plain": [],
  "asan": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
  "tsan": ["-fsanitize=thread"],
}
TIMEOUT = 300

# name, file, before, after, sources, ops, flavour
MUTANTS = [
  ("no barrier before rows are joined", "tile.cuh",
   "= values[k][j];\n  }\n  __syncthreads();",
   "= values[k][j];\n  }",
   ["wide_norm_sums"], ["bn_sums"], "plain"),
  ("no fence before the ticket", "tile.cuh",
   "ICL_SHARED(int, last, 1);\n  __threadfence();",
   "ICL_SHARED(int, last, 1);",
   ["wide_norm_sums"], ["bn_sums"], "tsan"),
  ("no fence behind the ticket", "tile.cuh",
   "== blocks - 1;\n    __threadfence();",
   "== blocks - 1;",
   ["wide_norm_sums"], ["bn_sums"], "tsan"),
  ("no barrier between the ticket and its use", "tile.cuh",
   "  }\n  __syncthreads();\n  return last[0];",
   "  }\n  return last[0];",
   ["wide_norm_sums"], ["bn_sums"], "plain"),
  ("every block writes the result", "tile.cuh",
   "if (!is_last_block(&tickets[blockIdx.y], gridDim.x))\n    return false;",
   "is_last_block(&tickets[blockIdx.y], gridDim.x);",
   ["wide_norm_sums"], ["bn_sums"], "tsan"),
  ("a thread returns before the barrier", "wide_norm_sums.cu",
   "  seen<V> s = {};",
   "  if (threadIdx.x == 200)\n    return;\n  seen<V> s = {};",
   ["wide_norm_sums"], ["bn_sums"], "plain"),
  ("a mask that leaves lanes out", "softmax.cuh",
   "__shfl_xor_sync(ALL_LANES",
   "__shfl_xor_sync(0xffffu",
   ["softmax"], ["softmax"], "plain"),
  ("a group of threads left out", "tile.cuh",
   "0, 1, TILE / columns,",
   "0, 1, TILE / columns - 1,",
   ["wide_norm_sums"], ["bn_sums"], "plain"),
  ("a row past the end", "wide_norm_sums.cu",
   "if (row + k * step < rows)\n        words[k].read",
   "if (row + k * step <= rows)\n        words[k].read",
   ["wide_norm_sums"], ["bn_sums"], "asan"),
  ("no stride of the grid", "norm_scale_sums.cu",
   "row += PAIRED_ROWS * step",
   "row += rows",
   ["norm_scale_sums"], ["bn_scale_sums"], "plain"),
  ("Chan's product left out", "wide_norm_sums.cu",
   "fmaf(part[i][0] * apart, apart, part[i][2])",
   "part[i][2]",
   ["wide_norm_sums"], ["bn_sums"], "plain"),
  ("a group past the end", "norm_apply.cu",
   "first + p * groups_of_part < groups",
   "first + p * groups_of_part <= groups",
   ["norm_apply"], ["scale_shift"], "asan"),
  ("the last row of an odd number", "norm_apply.cu",
   "(size.rows + PARTS - 1) / PARTS",
   "size.rows / PARTS",
   ["norm_apply"], ["scale_shift"], "plain"),
  ("the mask inverted at 0", "norm_apply.cu",
   "c.normalized(j, xs[j]) > 0 ?",
   "c.normalized(j, xs[j]) < 0 ?",
   ["norm_apply"], ["bn_input_grad"], "plain"),
  ("a misaligned load", "values.cuh",
   "low = at[0];",
   "low = *(const uint4 *)((const unsigned char *)at + 4);",
   ["norm_apply"], ["scale_shift"], "plain"),
  ("a chain without its tail", "chain.cuh",
   "if (j < left)\n        Access::write",
   "if (j + 1 < left)\n        Access::write",
   ["chain"], ["relu"], "plain"),
  ("a tail that goes on", "chain.cuh",
   "if (j < left)\n        Access::write",
   "if (j < VALUES)\n        Access::write",
   ["chain"], ["relu"], "asan"),
  ("strides of the wrong axis", "chain.cuh",
   "* in.stride[d];",
   "* in.stride[0];",
   ["chain"], ["add"], "plain"),
  ("bf16 cut off", "values.cuh",
   "return __bfloat16_as_ushort(__float2bfloat16_rn(x));",
   "return __float_as_uint(x) >> 16;",
   ["chain"], ["cast"], "plain"),
  ("rows joined without a barrier", "reduce.cuh",
   "shared[threadIdx.x] = a;\n    }\n    __syncthreads();",
   "shared[threadIdx.x] = a;\n    }",
   ["reduce"], ["sum"], "plain"),
  ("the last of equals", "reduce.cuh",
   "b.place < a.place",
   "b.place > a.place",
   ["reduce"], ["argmax"], "plain"),
  ("NaN lost", "values.cuh",
   "x > largest || (x != x && largest == largest)",
   "x > largest",
   ["reduce"], ["max"], "plain"),
  ("a row past the end of the logits", "softmax.cuh",
   "if (r.number >= rows)\n    return;\n  typename Values::real largest, all;\n  measure",
   "typename Values::real largest, all;\n  measure",
   ["softmax"], ["softmax"], "plain"),
  ("a window too few", "pool.cuh",
   "return last < windows ? last : windows - 1;",
   "return last < windows ? last : windows - 2;",
   ["pool"], ["avg_pool2d_grad"], "plain"),
  ("a sum that was replaced already", "scan.cuh",
   ": 0;\n      __syncthreads();",
   ": 0;",
   ["scan"], ["cumsum"], "plain"),
  ("f64 read as f32", "wide_values.cuh",
   "return ((const double *)data)[i];",
   "return (float)((const double *)data)[i];",
   ["wide_reduce"], ["sum"], "plain"),
  ("equals turned round", "sort.cu",
   "a.rank == b.rank && a.position < b.position",
   "a.rank == b.rank && a.position > b.position",
   ["sort"], ["argsort"], "plain"),
  ("an entry past the end of a series", "sort.cu",
   "if (c.second >= of.size)\n    return;",
   "",
   ["sort"], ["argsort"], "plain"),
  ("terms of the first tile again", "gather_grad.cuh",
   "from + (begin + number_of(terms[j])) * inner",
   "from + number_of(terms[j]) * inner",
   ["gather_grad"], ["gather_along_grad"], "plain"),
  ("sums of the first part in every part", "gather_grad.cuh",
   "t.y.size - 1) - first)",
   "t.y.size - 1))",
   ["gather_grad"], ["gather_along_grad"], "plain"),
  ("sorting what is not there yet", "network.cuh",
   "DEVICE void sort_entries(Entry *entries, int count) {\n  __syncthreads();",
   "DEVICE void sort_entries(Entry *entries, int count) {",
   ["gather_grad"], ["gather_along_grad"], "tsan"),
  ("the draw of another image", "draw.cuh",
   "d.first + image",
   "d.first + image + 1",
   ["random"], ["uniform"], "plain"),
  ("a tile written before it is read", "transpose.cu",
   "  __syncthreads();\n",
   "",
   ["transpose"], ["host"], "plain"),
  ("a tile turned before it is read", "move.cu",
   "  __syncthreads();\n",
   "",
   ["move"], ["permute"], "plain"),
  ("two axes in each other's place", "move.cu",
   "at * m.from_stride[d]",
   "at * m.to_stride[d]",
   ["move"], ["permute"], "plain"),
  ("columns of a tile for rows", "transpose.cu",
   "tile[(s.column + j) * PITCH + s.row]",
   "tile[s.row * PITCH + s.column + j]",
   ["transpose"], ["host"], "plain"),
  ("a tile past the end", "transpose.cu",
   "row < p.rows && column < p.columns",
   "row < p.rows",
   ["transpose"], ["host"], "asan"),
  ("a leaf without its tail", "bind.cu",
   "i < p.bytes; i += step",
   "i + 1 < p.bytes; i += step",
   ["bind"], ["host"], "plain"),
  ("the last value unseen", "find_nan.cu",
   "first + j < count",
   "first + j + 1 < count",
   ["find_nan"], ["host"], "plain"),
  ("tickets that go on counting", "tile.cuh",
   "atomicInc(ticket, blocks - 1)",
   "atomicAdd(ticket, 1u)",
   ["wide_norm_sums"], ["bn_sums"], "plain"),
  ("a row above the image", "sample.cu",
   "bool inside = row >= 0 && row < s.h",
   "bool inside = row < s.h",
   ["sample"], ["crop"], "plain"),
  ("a mirror one pixel off", "sample.cu",
   "w - 1 - 2 * column",
   "w - 2 * column",
   ["sample"], ["flip"], "plain"),
  ("what is kept is not scaled", "dropout.cuh",
   " / kept",
   "",
   ["dropout"], ["dropout"], "plain"),
  ("draws past the end", "random.cu",
   "    if (j < r.count)\n      y[r.first + j] = icl__uniform(r.word[j]);",
   "    y[r.first + j] = icl__uniform(r.word[j]);",
   ["random"], ["uniform"], "asan"),
  ("lanes with a largest of their own", "softmax.cuh",
   "  largest = largest_of_warp(largest);\n",
   "",
   ["softmax"], ["softmax"], "plain"),
  ("the gradient of a loss that is not scaled", "softmax.cu",
   "scale * (weight * expf(z) - t)",
   "weight * expf(z) - t",
   ["softmax"], ["fused"], "plain"),
  ("the first image for all", "pool.cuh",
   "first / c / pixels * c + first % c",
   "first % c",
   ["pool"], ["global_avg_pool_grad"], "plain"),
  ("an index that is not kept within its axis", "gather.cu",
   "x[kept_within(index[i / size], limit - 1) * size + i % size]",
   "x[index[i / size] * size + i % size]",
   ["gather"], ["host"], "plain"),
  ("a table that is read before it is written", "wide_normalize.cu",
   "  __syncthreads();\n",
   "",
   ["wide_normalize"], ["normalize"], "plain"),
  ("an image that is read twice", "norm_scale_sums.cu",
   "  return ICL_LAUNCH(bn_scale_sums<V>,",
   "  ICL_LAUNCH(bn_scale_sums<V>, t.grid, dim3(TILE), 0, stream, g, x, coefficients, (int)mask, size.rows,"
   " (int)size.channels,\n             t.lanes, (uint64_t *)out, finish, scratch.partial, scratch.tickets);\n"
   "  return ICL_LAUNCH(bn_scale_sums<V>,",
   ["norm_scale_sums"], ["bn_scale_sums"], "bytes"),
  ("an index one too far", "cuda.h",
   "x < most ? x : most",
   "x < most ? x : most + 1",
   ["gather", "move"], ["narrow"], "plain"),
]


def compile_sources(build, folder, flavour, sources):
  """{path of the object in the build: path of the new one}"""
  objects = {}
  kernels, _ = PROGRAMS[flavour]
  cache = open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8").read()
  toolkit = re.search(r"^ICL_CUDA_INCLUDE:PATH=(.*)$", cache, re.MULTILINE)[1]
  for source in sources:
    new = os.path.join(folder, f"{source}.{flavour}.o")
    subprocess.run(["g++", "-std=c++17", "-O1", "-g", "-w", "-fno-strict-aliasing", "-ffp-contract=off",
                    *FLAGS[kernels], "-I", folder, *(part for path in INCLUDES for part in ("-I", path)), "-isystem",
                    toolkit, "-x", "c++", "-c", os.path.join(folder, source + ".cu"), "-o", new], check=True)
    objects[f"cudasim_kernels_{kernels}.dir/__/__/core/backend/cuda/kernels/{source}.cu.o"] = new
  return objects


def link(build, folder, flavour, objects):
  where = os.path.join(build, "tests/cudasim")
  program = os.path.join(folder, flavour)
  command = open(os.path.join(where, f"CMakeFiles/{PROGRAMS[flavour][1]}.dir/link.txt"), encoding="utf-8").read()
  for old, new in objects.items():
    command, count = re.subn(rf"\S*{re.escape(old)}", new, command)
    assert count == 1, f"{old} is not linked"
  command = re.sub(r" -o \S+", f" -o {program}", command)
  subprocess.run(command, shell=True, check=True, cwd=where)
  return program


def verdict(program, ops):
  """What the tests said, None if nothing."""
  try:
    run = subprocess.run([program, *ops], capture_output=True, text=True, errors="replace", timeout=TIMEOUT,
                         env=os.environ | {"TSAN_OPTIONS": "halt_on_error=1"})
  except subprocess.TimeoutExpired:
    return "hangs"
  if run.returncode == 0:
    return None
  text = run.stdout + run.stderr
  assert "0 passed, 0 failed" not in text, f"no test is called {ops}"
  for pattern in (r"cudasim: .*", r"ThreadSanitizer: [^(\n]*", r"AddressSanitizer: [\w-]*", r"runtime error: .*",
                  r"(?m)ratio [0-9.]* failed$", r"worst error.*", r"gives other bytes", r"(?<=failed: ).*"):
    found = re.search(pattern, text)
    if found:
      return found[0][:90]
  return f"exit code {run.returncode}"


def notice(build, mutant):
  name, file, before, after, sources, ops, flavour = mutant
  with tempfile.TemporaryDirectory() as top:
    folder = shutil.copytree(KERNELS, os.path.join(top, "kernels"))
    path = os.path.join(folder, file)
    text = open(path, encoding="utf-8").read()
    assert before in text, f"{name}: {file} does not hold the text to replace"
    with open(path, "w", encoding="utf-8") as out:
      out.write(text.replace(before, after))
    return verdict(link(build, folder, flavour, compile_sources(build, folder, flavour, sources)), ops)


def main(build, *names):
  passed = failed = 0
  for mutant in MUTANTS:
    if names and mutant[0] not in names:
      continue
    said = notice(os.path.abspath(build), mutant)
    passed += said is not None
    failed += said is None
    print(f"| {mutant[0]} | {mutant[6]} | {said or 'NOT NOTICED'} |", flush=True)
  print(f"{passed} passed, {failed} failed")
  return failed > 0


if __name__ == "__main__":
  sys.exit(main(*sys.argv[1:]))
