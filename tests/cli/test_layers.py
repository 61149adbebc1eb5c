"""The order of the layers: no file includes or requires one of a layer above its own, and none leads back to itself.

A row of a table is a layer; the lowest comes first. A file may use those of the rows below it and those of its own row.
Where a row holds several strings, they are neighbours: files of one do not use those of another. A string names files:
`folder/*` stands for all that lie in the folder, `folder/**` for those further down as well; where several names fit a
file, the longest counts. Every file belongs to exactly one row.
"""

import os
import re
from fnmatch import fnmatch

from harness import ROOT, close, contains, equal, test

CORE = [
  ["core/icl.h"],
  ["core/base/*"],
  ["core/group/*"],
  ["core/group/mpi/*"],
  ["core/ops/*"],
  ["core/plan/*"],
  ["core/backend/*"],
  ["core/backend/ref/**"],
  ["core/backend/cpu/**", "core/backend/cuda/**"],
  ["core/backend/registry.*"],
  ["core/graph/*"],
  ["core/data/*", "core/io/*"],
  ["core/network/*"],
  ["bindings/*"],
]

BINDINGS = [
  ["core/**"],
  ["bindings/binding.h bindings/embedded.h"],
  ["bindings/session.*", "bindings/guard.*", "bindings/suggest.*"],
  ["bindings/where.*"],
  ["bindings/error.*"],
  ["bindings/owner.*"],
  ["bindings/arguments.*", "bindings/interrupt.*"],
  ["bindings/engine.*", "bindings/handle.*", "bindings/array.*", "bindings/attributes.*", "bindings/print.*"],
  ["bindings/group.*"],
  ["bindings/op.*", "bindings/step.*", "bindings/digest.*"],
  ["bindings/tensor.*", "bindings/state.*", "bindings/gradient.*", "bindings/system.*", "bindings/json.*",
   "bindings/build.*", "bindings/describe.*", "bindings/events.*", "bindings/fetch.*", "bindings/files.*",
   "bindings/folder.*", "bindings/image.*", "bindings/network.*", "bindings/npz.*", "bindings/process.*",
   "bindings/prompt.*", "bindings/run.*", "bindings/safetensors.*", "bindings/terminal.*", "bindings/transfer.*"],
  ["bindings/statistics.*"],
  ["bindings/library.*"],
  ["bindings/main.c"],
]

# icl.core, that is the bindings, lies below all of this.
LUA = [
  ["lua/icl/internal/*"],
  ["lua/icl/runs/*"],
  ["lua/icl/tensor/*", "lua/icl/json.lua", "lua/icl/image.lua", "lua/icl/weights.lua", "lua/icl/loss/*",
   "lua/icl/autograd.lua", "lua/icl/random/*", "lua/icl/chart/*",
   "lua/icl/options/list.lua lua/icl/options/command_line.lua lua/icl/options/condition.lua lua/icl/options/help.lua "
   "lua/icl/options/notation.lua lua/icl/options/results.lua lua/icl/options/resumed.lua lua/icl/options/seeds.lua",
   "lua/icl/options/unread.lua lua/icl/options/words.lua", "lua/icl/rerun.lua", "lua/icl/distributed.lua"],
  ["lua/icl/sinks/*", "lua/icl/schedule/*", "lua/icl/metrics/*"],
  ["lua/icl/nn/*"],
  ["lua/icl/network/*"],
  ["lua/icl/step.lua", "lua/icl/run/*", "lua/icl/gradcheck.lua", "lua/icl/optim/*", "lua/icl/augment/*"],
  ["lua/icl/models/*", "lua/icl/data/*", "lua/icl/ema.lua", "lua/icl/grad_scaler.lua"],
  ["lua/icl/options/*"],
  ["lua/icl/augment/from_options.lua lua/icl/augment/init.lua"],
  ["lua/icl/data/loader.lua lua/icl/data/init.lua"],
  ["lua/icl/evaluate.lua"],
  ["lua/icl/fit/*", "lua/icl/show/*", "lua/icl/evaluation/*", "lua/icl/export/*"],
  ["lua/icl/init.lua"],
  ["lua/icl/repl/print.lua"],
  ["lua/icl/help/*", "lua/icl/report/*"],
  ["lua/icl/repl/*", "lua/icl/commands/*"],
  ["lua/icl/program/*"],
  ["recipes/**"],
]

# Files that require what a variable names: the loader of the modules that lazy tables list, which are read where they
# are listed, and the command line, whose words may be the names of lua/icl/commands.
COMPUTED = {"lua/icl/internal/lazy.lua", "lua/icl/program/init.lua"}


# ---- arrows: what a file uses ----


def includes(path, text, texts):
  """The files that a C file includes, and complaints."""
  used, wrong = [], []
  for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.MULTILINE):
    places = [os.path.join(folder, name) for folder in (os.path.dirname(path), "core", "bindings")]
    found = next((place for place in places if place in texts), None)
    if found:
      used.append(found)
    else:
      wrong.append(f"{path} includes {name}, which is not there")
  return used, wrong


def requires(path, text, texts):
  """The files of the library that a Lua file requires, be it later on, and complaints."""
  code = re.sub(r"--.*", "", text)
  names = re.findall(r"""\brequire\s*\(?\s*["']([\w.]+)["']""", code)
  lazy = re.findall(r'"icl\.internal\.lazy"\(.*?, "([\w.]+)", \{(.*?)\}\)', code, re.DOTALL)
  for prefix, listed in lazy:
    names += [f"{prefix}.{name}" for name in re.findall(r'"(\w+)"', listed)]
  wrong = []
  if names.count("icl.internal.lazy") != len(lazy):
    wrong.append(f"{path} has a lazy table whose names cannot be read")
  if re.search(r"\brequire\s*\(\s*[^\s\"']", code) and path not in COMPUTED:
    wrong.append(f"{path} requires what a variable names")
  used = []
  for name in names:
    if name == "icl.core" or name.split(".")[0] != "icl":
      continue
    stem = "lua/" + name.replace(".", "/")
    found = next((place for place in (stem + ".lua", stem + "/init.lua") if place in texts), None)
    if found:
      used.append(found)
    else:
      wrong.append(f"{path} requires {name}, which is not there")
  return used, wrong


# ---- the check ----


def matches(path, pattern):
  if pattern.endswith("/**"):
    return path.startswith(pattern[:-2])
  return os.path.dirname(path) == os.path.dirname(pattern) and fnmatch(os.path.basename(path),
                                                                       os.path.basename(pattern))


def places_of(rows, paths):
  """The place of each file, (row, string in it), and complaints about files without one and names without a file."""
  patterns = [(pattern, (row, group)) for row, strings in enumerate(rows) for group, string in enumerate(strings)
              for pattern in string.split()]
  places, wrong, seen = {}, [], set()
  for path in paths:
    found = [entry for entry in patterns if matches(path, entry[0])]
    found = [entry for entry in found if len(entry[0]) == max(len(pattern) for pattern, _ in found)]
    seen.update(pattern for pattern, _ in found)
    if len(found) == 1:
      places[path] = found[0][1]
    else:
      wrong.append(f"{path} belongs to {len(found) or 'no'} layer{'s' if found else ''}")
  return places, wrong + [f"no file is called {pattern}" for pattern, _ in patterns if pattern not in seen]


def unit(path):
  """A header and the file that defines what it declares count as one."""
  return os.path.splitext(path)[0] if path.endswith((".c", ".h")) else path


def circles(arrows):
  """A text for each circle of arrows, { unit: set of the units it uses }, that a walk along them closes."""
  found, done, trail = [], set(), []

  def walk(at):
    trail.append(at)
    for to in sorted(arrows.get(at, ())):
      if to in trail:
        found.append("a circle: " + " -> ".join(trail[trail.index(to):] + [to]))
      elif to not in done:
        walk(to)
    done.add(trail.pop())

  for start in sorted(arrows):
    if start not in done:
      walk(start)
  return found


def complaints(rows, texts, reader):
  """What is wrong with files, { path: text }, in the order of the rows."""
  places, wrong = places_of(rows, texts)
  arrows = {}
  for path, text in texts.items():
    used, unreadable = reader(path, text, texts)
    wrong += unreadable
    for other in used:
      if other == path or unit(other) != unit(path):
        arrows.setdefault(unit(path), set()).add(unit(other))
      if path not in places or other not in places:
        continue
      (row, group), (other_row, other_group) = places[path], places[other]
      if other_row > row:
        wrong.append(f"{path} uses {other}, which lies above it")
      elif other_row == row and other_group != group:
        wrong.append(f"{path} uses {other}, which lies beside it")
  return wrong + circles(arrows)


def undefined(texts):
  """Complaints about functions that a header of the bindings declares and its own file does not define."""
  wrong = []
  for path, text in texts.items():
    if not path.endswith(".h"):
      continue
    own, code = texts.get(path[:-2] + ".c", ""), re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    for name in re.findall(r"^\w[\w *]*?\b(\w+)\([^{]*?\);", code, re.MULTILINE):
      if not re.search(rf"^\w[\w *]*\b{name}\([^;{{]*\) \{{", own, re.MULTILINE):
        wrong.append(f"{path} declares {name}, which {unit(path)}.c does not define")
  return wrong


def read(extensions, *folders):
  texts = {}
  for folder in folders:
    for where, _, names in os.walk(os.path.join(ROOT, folder)):
      for name in sorted(names):
        if name.endswith(extensions):
          path = os.path.join(where, name)
          with open(path, encoding="utf-8") as file:
            texts[os.path.relpath(path, ROOT)] = file.read()
  assert texts, f"no files in {folders}"
  return texts


C = (".c", ".h", ".def")


@test
def core_keeps_its_order():
  equal(complaints(CORE, read(C, "core", "bindings"), includes), [])


@test
def bindings_keep_their_order():
  texts = read(C, "core", "bindings")
  wrong = complaints(BINDINGS, texts, includes)
  equal([line for line in wrong if "bindings/" in line], [])


@test
def headers_of_the_bindings_declare_what_their_own_file_defines():
  equal(undefined(read(C, "bindings")), [])


@test
def lua_keeps_its_order():
  equal(complaints(LUA, read(".lua", "lua", "recipes"), requires), [])


# ---- the check itself ----

# Three layers, the middle one of neighbours, and files that keep to them.
ROWS = [["core/low/*"], ["core/left/** core/both.h", "core/right/*"], ["core/top.*"]]
FILES = {"core/low/base.h": "", "core/low/base.c": '#include "base.h"\n#include <top.h>', "core/both.h": "",
         "core/left/x.c": ' # include "low/base.h"', "core/left/deep/x.c": '#include "both.h"',
         "core/right/y.h": '#include "low/base.h"', "core/top.c": '#include "right/y.h"\n#include "both.h"'}


def wrong_with(**texts):
  """What is said where base, x, y or deep has this text."""
  names = {"base": "core/low/base.c", "x": "core/left/x.c", "y": "core/right/y.h", "deep": "core/left/deep/x.c"}
  return complaints(ROWS, {**FILES, **{names.get(name, name): text for name, text in texts.items()}}, includes)


@test
def wrong_includes_are_found():
  equal(wrong_with(), [])
  equal(wrong_with(base='#include "both.h"'), ["core/low/base.c uses core/both.h, which lies above it"])
  equal(wrong_with(x='#include "right/y.h"'), ["core/left/x.c uses core/right/y.h, which lies beside it"])
  equal(wrong_with(deep='#include "none.h"'), ["core/left/deep/x.c includes none.h, which is not there"])
  equal(wrong_with(**{"core/left/z.h": '#include "x.h"', "core/left/x.h": "", "x": '#include "z.h"'}),
        ["a circle: core/left/x -> core/left/z -> core/left/x"])
  equal(wrong_with(**{"core/other/z.h": ""}), ["core/other/z.h belongs to no layer"])
  equal(complaints(ROWS + [["core/low/*", "core/gone.c"]], FILES, includes),
        ["core/low/base.h belongs to 2 layers", "core/low/base.c belongs to 2 layers", "no file is called core/gone.c"])


@test
def wrong_requires_are_found():
  rows = [["lua/icl/low/*"], ["lua/icl/init.lua"], ["recipes/*"]]
  files = {"lua/icl/low/lazy.lua": "return function(module, prefix, name) return require(prefix .. name) end",
           "lua/icl/low/a.lua": 'local core = require "icl.core"\n-- require "icl"', "lua/icl/init.lua": "",
           "recipes/r.lua": 'local icl, os = require("icl"), require "os"'}
  computed = "lua/icl/low/lazy.lua requires what a variable names"

  def wrong(path, text):
    return [line for line in complaints(rows, {**files, path: text}, requires) if line != computed]

  contains(complaints(rows, files, requires), computed)
  equal(wrong("recipes/r.lua", files["recipes/r.lua"]), [])
  above = ["lua/icl/low/a.lua uses lua/icl/init.lua, which lies above it"]
  equal(wrong("lua/icl/low/a.lua", 'f(function() return require "icl".fit end)'), above)
  equal(wrong("lua/icl/low/a.lua", "local icl = require('icl')"), above)
  equal(wrong("lua/icl/low/a.lua", 'return require "icl.low.c"'),
        ["lua/icl/low/a.lua requires icl.low.c, which is not there"])
  equal(wrong("lua/icl/low/b.lua", 'return require "icl.low.b"'), ["a circle: lua/icl/low/b.lua -> lua/icl/low/b.lua"])


@test
def names_in_lazy_tables_are_read():
  files = {"lua/icl/internal/lazy.lua": "", "lua/icl/nn/init.lua": "", "lua/icl/nn/relu.lua": 'require "icl.nn"'}
  lazy = 'return require "icl.internal.lazy"({}, "icl.nn", {\n  "relu",\n})'
  rows = [["lua/icl/internal/*"], ["lua/icl/nn/*"]]
  equal(complaints(rows, files, requires), [])
  equal(complaints(rows, {**files, "lua/icl/nn/init.lua": lazy}, requires),
        ["a circle: lua/icl/nn/init.lua -> lua/icl/nn/relu.lua -> lua/icl/nn/init.lua"])
  equal(complaints(rows, {**files, "lua/icl/nn/init.lua": 'return require "icl.internal.lazy"(nn, prefix, names)'},
                   requires), ["lua/icl/nn/init.lua has a lazy table whose names cannot be read"])


@test
def declarations_without_definition_are_found():
  header = "/* int no(void); */\nint *yes(int a,\n         int b);\nextern int table[];\n#define NO(x) f(x);\n"
  equal(undefined({"b/a.h": header, "b/a.c": "int *yes(int a, int b) {\n"}), [])
  equal(undefined({"b/a.h": header, "b/a.c": "int *yes(int a, int b);\n  yes(1, 2) {\n"}),
        ["b/a.h declares yes, which b/a.c does not define"])
  equal(undefined({"b/a.h": header, "b/c.c": "int *yes(int a, int b) {\n"}),
        ["b/a.h declares yes, which b/a.c does not define"])


close(needs_icl=False)
