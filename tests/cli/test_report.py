"""icl runs, compare, watch and report over folders that runs left, and the page of a report in a browser."""

import csv
import io
import json
import os
import re
import shutil
import subprocess

from harness import (PATIENCE, ROOT, Skip, Terminal, close, contains, environment, equal, failure, folder, lacks,
                     read_bytes, run, success, test, write_mnist)

MAKER = os.path.join(ROOT, "tests", "lua", "run_folders.lua")
BUILD = os.path.join(ROOT, "build")

# The names of the core that a build has; without locks, nobody holds one.
_names = run("-e", 'for name in pairs(require "icl.core") do print(name) end').stdout.split()
_begin = [] if "file_locked" in _names else ["-e", """
local core = require "icl.core"
core.file_locked = function() return false end
arg[0] = "icl"
os.exit(require "icl.program"(arg))"""]


def icl(*arguments, cwd=None, **variables):
  return run(*_begin, *arguments, cwd=cwd, env=environment(**variables))


def make(where, code):
  """Folders below `where`, by the helpers of run_folders.lua: `f`."""
  success(run("-e", f"local f = dofile '{MAKER}'; local root = '{where.path}/'; {code}"))


def realistic(where, count, epochs):
  success(run(MAKER, where / "runs", str(count), str(epochs)))


# ---- runs and compare ----

SEEDS = """
for seed, last in ipairs { 0.90, 0.92, 0.94 } do
  f.finished(root .. 'runs/wrn/00' .. seed, { lr = 0.1, seed = seed }, { 0.5, 0.95, last })
end
f.finished(root .. 'runs/vgg/001', { lr = 0.2, seed = 1 }, { 0.8 }, { recipe = 'recipes/vgg.lua' })
f.make(root .. 'runs/vgg/002', { recipe = 'recipes/vgg.lua', options = { lr = 0.2, seed = 2 },
  lines = { f.report(1, 9, 0.7) } })
"""


@test
def runs_are_listed():
  with folder() as where:
    make(where, SEEDS)
    lines = success(icl("runs", cwd=where.path)).splitlines()
    equal(lines[0].split(), ["run", "state", "epoch", "figure", "best", "last", "time", "left"])
    equal(re.split(r"\s{2,}", lines[1]),
          ["vgg/001", "finished", "1/1", "Error, test", "20.00 % at 1", "20.00 %", "30 s"])
    equal(re.split(r"\s{2,}", lines[2])[:3], ["vgg/002", "killed", "1/9"])
    equal(re.split(r"\s{2,}", lines[3])[4], "5.00 % at 2")
    entries = json.loads(success(icl("runs", "runs/wrn", "--json", cwd=where.path)))
    equal(json.loads(success(icl("runs", "wrn", "--json", cwd=where.path))), entries)
    equal([entry["name"] for entry in entries], ["wrn/001", "wrn/002", "wrn/003"])
    equal(entries[2]["last"], {"epoch": 3, "figure": "test.top1", "value": 0.94})


@test
def nobody_waits_for_a_pipe_in_the_folder_of_a_run():
  with folder() as where:
    make(where, SEEDS)
    for name in ("wrn/001/metrics.jsonl", "wrn/002/options.lua", "wrn/003/env.txt"):
      if os.path.exists(where / f"runs/{name}"):
        os.remove(where / f"runs/{name}")
      os.mkfifo(where / f"runs/{name}")
    result = icl("runs", cwd=where.path)
    contains(success(result), "vgg/001", "wrn/003")
    contains(result.stderr, "wrn/002/options.lua: not a regular file")
    success(icl("report", "runs", cwd=where.path))
    os.mkfifo(where / "pipe")
    contains(failure(icl("evaluate", "pipe", cwd=where.path)), "there is no file or run pipe")


@test
def where_no_runs_are_the_next_step_is_said():
  with folder() as where:
    contains(success(icl("runs", cwd=where.path)), "there are no runs in the folder runs; a recipe makes one")
    equal(json.loads(success(icl("runs", "--json", cwd=where.path))), [])
    contains(failure(icl("watch", cwd=where.path)), "there are no runs in the folder runs")
    contains(failure(icl("runs", "nowhere", cwd=where.path)), "there is no run nowhere")
    contains(failure(icl("report", "none", cwd=where.path)), "there is no run none")
    contains(failure(icl("report", cwd=where.path), 2), "which runs?")
    contains(failure(icl("compare", cwd=where.path), 2), "which runs?")
    contains(failure(icl("runs", "a", "b", cwd=where.path), 2), "one folder at a time")
    contains(failure(icl("compare", "--cvs", "runs", cwd=where.path), 2), "did you mean --csv?")


@test
def damaged_folders_are_named_and_the_others_shown():
  with folder() as where:
    make(where, SEEDS + "f.write(root .. 'runs/bad/001/options.lua', 'os.exit(7)')")
    result = icl("runs", cwd=where.path)
    contains(success(result), "wrn/003", "bad/001")
    contains(result.stderr, "runs/bad/001/options.lua: it does not begin with the call of icl.rerun")


@test
def groups_of_seeds_are_compared():
  with folder() as where:
    make(where, SEEDS)
    result = icl("compare", "runs", cwd=where.path)
    contains(success(result), "8.00 ± 2.00 [3.03, 12.97]", "5.00 ± 0.00", "lr")
    lacks(result.stdout.splitlines()[0], "seed")
    contains(result.stderr, "left out, since it has not finished: vgg/002 (killed, epoch 1)")
    rows = list(csv.DictReader(io.StringIO(success(icl("compare", "wrn", "vgg", "--csv", cwd=where.path)))))
    equal([(row["settings"], row["runs"], row["lr"]) for row in rows], [("wrn", "3", "0.1"), ("vgg", "1", "0.2")])
    equal((float(rows[0]["last_mean"]), rows[1]["last_deviation"]), (8.0, ""))
    entries = json.loads(success(icl("compare", "runs", "--json", "--unfinished", cwd=where.path)))
    equal([len(entry["runs"]) for entry in entries], [2, 3])
    contains(success(icl("compare", "wrn", "--figure", "test.loss", cwd=where.path)), "Loss, test", "1.18 ± 0.02")
    contains(failure(icl("compare", "wrn", "--figure", "none", cwd=where.path), 2), "no report has the figure none")
    contains(failure(icl("compare", "vgg/002", cwd=where.path), 2), "none of these runs has finished")


@test
def a_seed_counts_once():
  with folder() as where:
    make(where, """for number, last in ipairs { 0.5, 0.9, 0.7 } do
                     f.finished(root .. "runs/a/00" .. number, { seed = number // 2 }, { 0.4, last })
                   end
                   f.finished(root .. "runs/a/004", { seed = 1 }, { 0.8 })
                   f.make(root .. "runs/a/005", { options = { seed = 0 }, lines = { f.report(9, 9, 0.1) } })""")
    for words in ((), ("--unfinished",)):
      entry, = json.loads(success(icl("compare", "a", "--json", *words, cwd=where.path)))
      equal([path[-5:] for path in entry["runs"]], ["a/001", "a/003"])
      equal(entry["last"]["mean"], 40)


@test
def a_run_without_its_options_makes_no_columns():
  with folder() as where:
    make(where, """f.finished(root .. "runs/a/001", { dataset = "x", lr = 1 }, { 0.5 })
                   f.finished(root .. "runs/b/001", { dataset = "x", lr = 2 }, { 0.6 })
                   f.finished(root .. "runs/c/001", { dataset = "x", lr = 2 }, { 0.7 })""")
    os.remove(where / "runs/c/001/options.lua")
    lines = success(icl("compare", "runs", cwd=where.path)).splitlines()
    equal(re.split(r"\s{2,}", lines[0]), ["settings", "runs", "figure", "best", "last", "lr"])
    equal(re.split(r"\s{2,}", lines[3].rstrip())[0], "c")


@test
def settings_that_differ_are_said_once():
  with folder() as where:
    make(where, """f.finished(root .. "runs/a/001", { dataset = "x", padding = 4 }, { 0.5 })
                   f.finished(root .. "runs/a/002", { dataset = "y" }, { 0.6 })""")
    lines = success(icl("compare", "a", cwd=where.path)).splitlines()
    equal(re.split(r"\s{2,}", lines[0]), ["settings", "runs", "figure", "best", "last", "dataset", "padding"])
    equal([re.split(r"\s{2,}", line)[::5] for line in lines[1:3]], [["a", "x"], ["a", "y"]])
    rows = csv.DictReader(io.StringIO(success(icl("compare", "a", "--csv", cwd=where.path))))
    equal([row["settings"] for row in rows], ["a dataset=x", "a dataset=y"])
    make(where, 'f.finished(root .. "runs/a/003", { dataset = "x" }, { 0.6 })')
    rows = csv.DictReader(io.StringIO(success(icl("compare", "a", "--csv", cwd=where.path))))
    equal([row["settings"] for row in rows], ["a dataset=x padding=4", "a dataset=y padding=", "a dataset=x padding="])


@test
def rows_have_names_from_every_folder():
  with folder() as where:
    make(where, """for _, name in ipairs { "cosine", "step", "001", "seed-4" } do
                     f.finished(root .. "exp/" .. name, { schedule = name }, { 0.5 })
                   end
                   f.finished(root .. "one/wrn/001", { schedule = "step" }, { 0.5 }, { recipe = "one/train.lua" })
                   f.finished(root .. "two/wrn/001", { schedule = "step" }, { 0.5 }, { recipe = "two/train.lua" })""")

    def names(*words, cwd="exp"):
      lines = success(icl("compare", *words, cwd=where / cwd)).splitlines()[1:-2]
      rows = csv.DictReader(io.StringIO(success(icl("compare", "--csv", *words, cwd=where / cwd))))
      equal(len({row["settings"] for row in rows}), len(lines))
      return sorted(re.split(r"\s{2,}", line)[0] for line in lines)

    for word, cwd in ((".", "exp"), ("..", "exp/step"), ("../exp", "one"), ("exp", ".")):
      equal(names(word, cwd=cwd), ["exp", "exp", "exp/cosine", "exp/step"])
    equal(names("cosine", "step", "001/."), ["exp", "exp/cosine", "exp/step"])
    equal(names(".", cwd="exp/step"), ["exp/step"])
    equal(names("../one", "../two", "step"), ["exp/step", "wrn (1)", "wrn (2)"])
    equal(names("one", "two", "exp/cosine", cwd="."), ["exp/cosine", "wrn (1)", "wrn (2)"])
    entries = json.loads(success(icl("runs", ".", "--json", cwd=where / "exp")))
    equal([entry["name"] for entry in entries], ["exp/001", "exp/cosine", "exp/seed-4", "exp/step"])


@test
def a_report_shows_the_figures_that_there_are():
  with folder() as where:
    make(where, """local sets = { train = { loss = 1, lr = 0.5 }, test = { top1 = 0.5, top5 = 1, f1 = 0.3, count = 9 } }
                   f.make(root .. "runs/a/001", { lines = { f.report(1, 2, 0, sets), f.report(2, 2, 0, sets) } })""")
    success(icl("report", "a", "--out", where / "page.html", cwd=where.path))
    page = read_bytes(where / "page.html").decode()
    equal(re.findall(r"<figcaption><b>([^<]*)", page), ["Error, %", "Loss", "f1", "Learning rate", "Images a second"])
    make(where, 'f.make(root .. "runs/a/001", { lines = { f.report(1, 1, 0, { test = { top5 = 0.9 } }) } })')
    success(icl("report", "a", "--out", where / "page.html", cwd=where.path))
    contains(read_bytes(where / "page.html").decode(), "<figcaption><b>Top-5 error")


# ---- watch ----

@test
def without_a_terminal_curves_are_printed_once():
  with folder() as where:
    make(where, SEEDS)
    output = success(icl("watch", "wrn/001", cwd=where.path))
    contains(output, "wrn/001  finished  epoch 3/3", "Error in %", "Loss", "━ test  ━ training")
    assert re.search("[\u2801-\u28ff]", output), output
    lacks(output, "\x1b")
    assert max(len(line) for line in output.splitlines()) <= 80, output
    for variables in ({"TERM": "dumb"}, {"LANG": "C"}):
      output = success(icl("watch", "runs", cwd=where.path, COLUMNS="60", **variables))
      assert output.isascii() and max(len(line) for line in output.splitlines()) <= 60, output
      contains(output, "* vgg/001", "o vgg/002", "Error in %, test")
    contains(success(icl("watch", cwd=where.path)), "wrn/003  finished")
    contains(success(icl("watch", "wrn/001", "--figure", "test.top5", cwd=where.path)), "Top-5 error in %")
    for name in ("wrn/001", "runs", "vgg/002"):
      contains(failure(icl("watch", name, "--figure", "nosuch", cwd=where.path), 2), "no report has the figure nosuch")
    make(where, "f.make(root .. 'runs/wrn/009', {})")
    contains(success(icl("watch", "wrn/009", cwd=where.path)), "no figures yet")


@test
def a_figure_of_a_run_that_goes_on_is_waited_for():
  with folder() as where:
    make(where, SEEDS)
    code = """
      local core = require "icl.core"
      core.file_locked = function(path) return path:find "wrn/001" ~= nil end
      arg[0] = "icl"
      os.exit(require "icl.program"(arg))"""
    words = ("watch", "wrn/001", "wrn/002", "--figure", "mine.f1")
    contains(success(run("-e", code, *words, cwd=where.path, env=environment())), "no figures yet")
    contains(failure(icl(*words, cwd=where.path), 2), "no report has the figure mine.f1")


@test
def curves_grow_in_the_terminal_until_q():
  with folder() as where:
    make(where, "f.make(root .. 'runs/wrn/001', { lines = { f.report(1, 9, 0.5) } })")
    for key in ("q", "\x03"):
      with Terminal(*_begin, "watch", cwd=where.path) as terminal:
        terminal.expect("epoch 1/9.*q ends")
        with open(where / "runs/wrn/001/metrics.jsonl", "a", encoding="utf-8") as file:
          file.write('{"epoch":4,"epochs":9,"test":{"top1":0.75}}\n')
        terminal.expect("epoch 4/9.*25.00 %.*q ends")
        terminal.resize(150, 40)
        terminal.expect("Error in %.*  Loss.*q ends")  # side by side
        terminal.send(key)
        equal(terminal.end(), 0)
        contains(terminal.text, "\x1b[?1049h", "\x1b[?25h\x1b[?1049l")
        contains(terminal.new(), "epoch 4/9")
      make(where, "f.make(root .. 'runs/wrn/001', { lines = { f.report(1, 9, 0.5) } })")


# ---- report ----

def browse(page, *arguments):
  """What headless Chromium prints about a page: its document, and the messages of its scripts."""
  if not shutil.which("chromium"):
    raise Skip("there is no chromium, which shows whether the page of a report works")
  with folder() as profile:
    result = subprocess.run(["timeout", "-k", "5", "100", "chromium", "--headless", "--no-sandbox", "--disable-gpu",
                             f"--user-data-dir={profile.path}", "--enable-logging=stderr", "--hide-scrollbars",
                             *arguments, "file://" + page], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, timeout=PATIENCE * 2)
  equal(result.returncode, 0, result.stderr)
  return result.stdout, [line for line in result.stderr.splitlines() if "CONSOLE" in line]


def report(where, *words):
  page = where / "page.html"
  contains(success(icl("report", *words, "--out", page, cwd=where.path)), "page.html")
  return page, read_bytes(page).decode()


SECTIONS = ["Results", "Learning curves", "Schedule and throughput", "Predictions", "Settings", "Environment"]

# Moves the pointer over every chart and writes down what is shown.
HOVER = """<script>
window.addEventListener("load", () => {
  const shown = [...document.querySelectorAll("svg[data-plot]")].map(svg => {
    const box = svg.getBoundingClientRect();
    svg.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + box.width * 0.97, clientY: box.top + 9 }));
    return document.getElementById("tip").innerText.replaceAll("\\n", " ");
  });
  document.body.dataset.shown = shown.join("|");
});
</script>"""


@test
def a_page_about_many_runs_works_in_a_browser():
  with folder() as where:
    realistic(where, 10, 1800)
    page, text = report(where, "runs")
    assert len(text) < 2e6, f"{len(text)} bytes"
    equal(re.findall("<h2>(.*?)</h2>", text), SECTIONS)
    contains(text, "10 runs", "icl evaluate runs/shake_shake-cutout/", 'class="band c2"', "cutout")
    equal(re.findall(r"https?://[^\"]*", text), ["http://www.w3.org/2000/svg"])
    equal(re.findall(r"\b(?:src|href)=", text), [])
    document, messages = browse(where.write("hover.html", text.replace("</body>", HOVER + "</body>")), "--dump-dom",
                                "--window-size=1200,2400")
    equal(messages, [])
    shown = re.search('data-shown="(.*?)"', document).group(1).split("|")
    equal(len(shown), text.count("data-plot="))
    for entry in shown:
      assert re.match(r"Epoch 1[78]\d\d shake_shake(, test)? [\d.]+( %)? ", entry), shown
    for name, content in (("light", text), ("dark", text.replace("(prefers-color-scheme: dark)", "all"))):
      picture = os.path.join(BUILD, f"report-{name}.png")
      if os.path.exists(picture):
        os.remove(picture)
      _, messages = browse(where.write("shown.html", content), f"--screenshot={picture}", "--window-size=1200,2400")
      equal(messages, [])
      assert os.path.getsize(picture) > 50000, f"{picture} is nearly empty"


@test
def errors_of_scripts_would_be_seen():
  with folder() as where:
    _, messages = browse(where.write("x.html", "<script>none()</script>"), "--dump-dom")
    equal(len(messages), 1)
    contains(messages[0], "none is not defined")


@test
def names_are_texts_in_a_page():
  evil = "<img src=x onerror=none()>&\\\"'"
  with folder() as where:
    make(where, f"""
      local evil = "{evil}"
      f.make(root .. 'runs/' .. evil .. '/001', {{
        recipe = evil, preset = evil, options = {{ [evil] = evil }}, files = {{ ['env.txt'] = evil }},
        lines = {{ f.report(1, 2, 0.5, {{ [evil] = {{ loss = 1, top1 = 0.5 }} }}),
                   {{ state = 'failed', message = evil, epoch = 1 }} }} }})""")
    page, text = report(where, "runs")
    lacks(text, "<img")
    contains(text, "&lt;img src=x onerror=none()&gt;&amp;&quot;&#39;")
    document, messages = browse(page, "--dump-dom")
    equal(messages, [])
    contains(document, "</footer>")


@test
def predictions_are_shown_with_pictures():
  for name in ("npz_read", "png_encode"):
    if name not in _names:
      raise Skip(f"this build has no core.{name}")
  try:
    import numpy
  except ImportError as error:
    raise Skip("there is no numpy, which writes the predictions") from error
  with folder() as where:
    os.mkdir(where / "data")
    write_mnist(where / "data")
    make(where, "f.finished(root .. 'runs/a/001', { dataset = 'mnist', data = root .. 'data' }, { 0.8 })")
    truth = numpy.arange(64) * 7 % 10
    shares = numpy.full((64, 10), 0.02, "f4")
    shares[numpy.arange(64), truth] = 0.82
    shares[5], truth_of_5 = 0.0, truth[5]
    shares[5, 9] = 1.0
    numpy.savez(where / "runs/a/001/predictions.npz", probabilities=shares, truth=truth,
                names=numpy.array([f"test/{i}" for i in range(64)]))
    page, text = report(where, "runs")
    contains(text, "Of 64 images 63 (98.44 %) were right", 'src="data:image/png;base64,', 
             "100.0 % sure", f"<title>{truth_of_5} taken for 9: 1 of ")
    equal(text.count("<img"), 1)
    equal(browse(page, "--dump-dom")[1], [])
    shares[0], truth[0] = shares[1], truth[1]
    numpy.savez(where / "runs/a/001/predictions.npz", probabilities=shares, truth=truth)
    contains(report(where, "runs")[1], "are not those that the predictions were made for")


@test
def the_page_of_one_run_lies_in_its_folder():
  with folder() as where:
    make(where, SEEDS)
    equal(success(icl("report", "wrn/001", cwd=where.path)), "runs/wrn/001/report.html\n")
    text = read_bytes(where / "runs/wrn/001/report.html").decode()
    contains(text, "<h1>wrn/001</h1>", "10.00 %")
    equal(success(icl("report", "wrn", cwd=where.path)), "report.html\n")
    contains(failure(icl("report", "wrn", "--out", "none/x.html", cwd=where.path)), "none/x.html")


# ---- what commands write ----


@test
def no_command_writes_over_what_a_run_keeps():
  with folder() as where:
    make(where, SEEDS)
    os.mkdir(where / "runs/wrn/001/checkpoints")
    os.mkdir(where / "elsewhere")
    os.symlink(where / "elsewhere", where / "runs/wrn/002/checkpoints")
    os.symlink("runs/wrn/001", where / "run")
    os.symlink("run/metrics.jsonl", where / "link")
    own = ["runs/wrn/001/" + name for name in ("options.lua", "env.txt", "log.txt", "metrics.jsonl", "./log.txt",
                                               "weights.safetensors", "events.out.tfevents.1.x",
                                               "checkpoints/best.safetensors")]
    own += ["run/env.txt", "link", "run/checkpoints/x", "runs/wrn/002/checkpoints/last.safetensors"]
    before = read_bytes(where / "runs/wrn/001/metrics.jsonl")
    for command, option in (("evaluate", "csv"), ("evaluate", "predictions"), ("report", "out"), ("export", "onnx"),
                            ("export", "npz"), ("export", "safetensors")):
      for name in own if command == "report" else own[:1] + own[-1:]:
        errors = failure(icl(command, "wrn/001", f"--{option}", name, cwd=where.path), 2)
        contains(errors, f"--{option} {name}: a run keeps its own", "give another name")
    equal(read_bytes(where / "runs/wrn/001/metrics.jsonl"), before)
    for name in ("log.txt", "checkpoints/last.safetensors"):
      inside = where / "runs/wrn/001" if "/" not in name else where / "runs/wrn/001/checkpoints"
      contains(failure(icl("report", ".", "--out", os.path.basename(name), cwd=inside), 2), "a run keeps its own")
    for name in ("runs/wrn/001/predictions.npz", "runs/wrn/001/mine.csv", "weights.safetensors", "elsewhere/log.txt"):
      success(icl("report", "wrn", "--out", name, cwd=where.path))


close()
