"""What icl.fit shows while it works: a bar on a terminal, lines elsewhere."""

import re

from harness import Terminal, close, contains, environment, equal, folder, lacks, run, success, test, write_mnist

TRAIN = """
local icl = require "icl"
local opt = icl.options "x":include(icl.options.data, icl.options.augmentation, icl.options.training,
  icl.options.runtime):default { epochs = 2, batch_size = 8, schedule = "cosine" }:parse(arg)
local train, val, test = icl.data.open(opt)
local nn = icl.nn
local model = nn.sequential { nn.conv2d(1, 2, 3, { stride = 2 }), nn.relu(), nn.global_avg_pool(), nn.linear(2, 10) }
icl.fit { model = model, train = train, val = val, test = test, options = opt }
"""


def arguments(where, *more):
  return [where.write("train.lua", TRAIN), "--dataset", "mnist", "--data", write_mnist(where.path, 160), *more]


def at_terminal(where, columns, **variables):
  """All that a terminal of this width gets, control sequences too."""
  with Terminal(*arguments(where), env=environment(**variables), columns=columns) as terminal:
    equal(terminal.end(), 0)
    return terminal.text


def bars(text):
  """The pictures of the bar in what a terminal got."""
  return re.findall(r"\r([^\r\n\x1b]+)\x1b\[K", text)


@test
def a_bar_with_the_loss_the_rate_and_the_time_left():
  with folder() as where:
    shown = bars(at_terminal(where, 120))
    last = [bar for bar in shown if bar.startswith("Epoch 2/2 [########################] 20/20 ")]
    equal(len(last), 1, "\n".join(shown))
    assert re.search(r" loss \d\.\d{4} \d+ images/s \d+ s left \(run \d+ s\)$", last[0]), last[0]
    contains("\n".join(shown), "Test 1/2 [########################] 1/1")


@test
def a_narrow_terminal_keeps_each_bar_on_its_line():
  for columns in (40, 12):
    with folder() as where:
      shown = bars(at_terminal(where, columns))
      assert shown and all(len(bar) < columns for bar in shown), shown
      contains(shown[0], "Epoch 1/2")


@test
def there_are_no_colours():
  with folder() as where:
    for variables in ({}, {"NO_COLOR": "1"}):
      equal(set(re.findall(r"\x1b[^a-zA-Z]*[a-zA-Z]", at_terminal(where, 100, **variables))), {"\x1b[K"})


@test
def a_dumb_terminal_gets_lines():
  with folder() as where:
    text = at_terminal(where, 100, TERM="dumb")
    lacks(text.replace("\r\n", "\n"), "\x1b", "\r")
    contains(text, "Epoch 2 lr ")


@test
def elsewhere_lines_come_every_so_many_steps():
  with folder() as where:
    text = success(run(*arguments(where, "--log-period", "8")))
    steps = re.findall(r"^Epoch (\d) Step (\d+)/20 lr \S+ loss \S+ \(\S+\) acc@1 \S+ \(\S+\) acc@5 \S+ \(\S+\) "
                       r"\d+ images/s, \d+ s left$", text, re.MULTILINE)
    equal(steps, [("1", "8"), ("1", "16"), ("2", "8"), ("2", "16")])
    lacks(success(run(*arguments(where, "--log-period", "0"))), "Step")
    lacks(text, "\x1b", "\r")


close()
