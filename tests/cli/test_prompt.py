"""The prompt: what it prints, completes, remembers and survives; through a pseudo-terminal."""

import os
import re
import signal
import time

from harness import (Terminal, close, contains, environment, equal, folder, lacks, read_bytes, run, success, test,
                     write_png_rows)


def prompt(home, *arguments, cwd=None, **more):
  """icl at a terminal, waiting for its first line."""
  terminal = Terminal(*arguments, env=environment(HOME=home, **more), cwd=cwd)
  terminal.expect(r"icl> ")
  return terminal


def in_prompt(function):
  """A test of a prompt in an empty home folder."""
  def wrapped():
    with folder() as home, prompt(home.path) as terminal:
      function(terminal)
  wrapped.__name__ = function.__name__
  return test(wrapped)


# ---- what is printed ----


@test
def greeting_tells_version_device_help_and_the_way_out():
  with folder() as home, Terminal(env=environment(HOME=home.path)) as terminal:
    contains(terminal.expect(r"(.*?)icl> ").group(1), "icl 0.", "cpu", "help()", "Ctrl-D")


@in_prompt
def expressions_are_printed(terminal):
  terminal.command("1 + 1", r"\n2\n")
  terminal.command("'a\\n' .. 'b', nil, true", r'\n"a\\nb"\tnil\ttrue\n')
  terminal.command("{ 1, 2, x = { 'y' } }", r'\n\{ 1, 2, x = \{ "y" \} \}\n')
  terminal.command("print('hello')", r"\nhello\n")
  terminal.command("'größe'", r'\n"größe"\n')
  terminal.command("t = {}; t.self = t")
  terminal.command("t", r"\n\{ self = \{ <this table again> \} \}\n")


@in_prompt
def long_values_are_shortened(terminal):
  terminal.command("t = {} for i = 1, 5000 do t[i] = i end")
  contains(terminal.command("t", r"4976 more"), "\n  1, 2, 3, 4, 5,")
  contains(terminal.command("('x'):rep(5000)", r"4600 bytes more"), '"xxxx')
  assert len(terminal.command("icl.zeros { 1000, 1000 }", r"1000, 1000")) < 4000


@in_prompt
def tensors_show_shape_dtype_and_values(terminal):
  contains(terminal.command("icl.tensor { { 1.5, 2 }, { 3, 4 } }", r"1\.5"), "f32", "2, 2")
  terminal.command("{ x = icl.zeros { 2, 3 } }", r"\{ x = tensor f32 \(2, 3\) \}")
  terminal.command("icl.state({ 1, 2 }, { name = 'counter' })", r"counter")


@in_prompt
def models_print_as_trees(terminal):
  terminal.command("icl.nn.sequential { icl.nn.linear(4, 3), icl.nn.relu() }", r"sequential.*linear 4 -> 3.*relu")


@in_prompt
def the_last_result_is_kept(terminal):
  terminal.command("20 + 1")
  terminal.command("_ * 2", r"\n42\n")
  terminal.command("nil")
  terminal.command("_", r"\n42\n")


@in_prompt
def locals_end_with_their_line_and_it_says_so_once(terminal):
  contains(terminal.command("local x = 1"), "ends with its line")
  lacks(terminal.command("local x = 1"), "ends with its line")
  terminal.command("x", r"no variable 'x'")


@in_prompt
def the_value_behind_statements_is_printed(terminal):
  for line, value in (("x = 1; x", "1"), ("x = 2 x", "2"), ("local y = 3; y + x, 'b'", '5\t"b"'),
                      ("x = 'a; b'; x", '"a; b"'), ("for i = 1, 4 do x = i end x", "4"),
                      ("x = 1; math.max(x, 6)", "6"), ("x = 7; x -- a; note", "7")):
    terminal.command(line, rf"\n{re.escape(value)}\n")
  terminal.command("x = tostring (8)")  # one statement, and not x = tostring, then (8)
  terminal.command("x", r'\n"8"\n')
  terminal.command("if x then x = 2; x end", r"stdin:1: syntax error near 'end'")
  terminal.command("x", r'\n"8"\n')


@in_prompt
def a_name_that_does_not_exist_is_an_error(terminal):
  for name, meant in (("prnit", "print"), ("zeross", "icl.zeros"), ("conv2d", "icl.nn.conv2d"),
                      ("argmx", "icl.ops.argmax"), ("wnr", "icl.models.wrn"), ("icl.zeross", "zeros"),
                      ("icl.nn.conv2", "conv2d")):
    terminal.command(name, rf"stdin:1: .*there is no .*\(did you mean {re.escape(meant)}\?\)")
  terminal.command("xylophone(1)", r"stdin:1: there is no variable 'xylophone'\n")
  terminal.command("function later() return absent end")
  terminal.command("later()", r"stdin:1: there is no variable 'absent'")
  terminal.command("_", r"\nnil\n")
  terminal.command("known = nil")
  terminal.command("known, rawget(_G, 'absent')", r"\nnil\tnil\n")


@in_prompt
def what_steers_a_terminal_is_escaped(terminal):
  def shown(line, text):
    start = len(terminal.text)
    terminal.command(line, re.escape(text))
    lacks(terminal.text[start:], "\x1b[31m", "\x9b31m", "\u009b31m")
  shown(r"'\27[31mred', '\x9b31m', '\u{9b}31m'", r'"\x1b[31mred"' + "\t" + r'"\x9b31m"' + "\t" + r'"\xc2\x9b31m"')
  shown(r"{ ['\27[31m'] = 1 }", r'["\x1b[31m"] = 1')
  shown(r"setmetatable({}, { __tostring = function() return '\27[31mred' end })", r"\x1b[31mred")
  shown(r"{ setmetatable({}, { __tostring = print, __name = '\27[31mred' }) }", r"<\x1b[31mred>")
  shown(r"icl.state({ 1 }, { name = '\27[31mred' })", r"\x1b[31mred")
  shown(r"error '\27[31mred'", r"\x1b[31mred")
  terminal.send("print '\\27[31mred'\n")
  terminal.expect(r"\nred\n")
  contains(terminal.text, "\x1b[31mred")


@in_prompt
def unfinished_lines_go_on(terminal):
  terminal.send("function f(a)\n")
  terminal.expect(r"\n *>> ")
  terminal.send("return a * 2\n")
  terminal.expect(r"\n *>> ")
  terminal.command("end")
  terminal.send("f(\n")
  terminal.expect(r"\n *>> ")
  terminal.command("21)", r"\n42\n")
  terminal.send("for i = 1, 3 do\n")
  terminal.expect(r"\n *>> ")
  terminal.send("\x03")  # Ctrl-C clears what was typed
  terminal.expect(r"\nicl> ")
  terminal.command("'clear'", r'\n"clear"\n')
  terminal.send("y = 1; f(\n")  # the expression begins behind a statement of an earlier line
  terminal.expect(r"\n *>> ")
  terminal.command("y + 20)", r"\n42\n")


@in_prompt
def a_long_table_may_be_pasted(terminal):
  """Work for each line grows with the lines before it alone; it once grew with their cube."""
  terminal.send("t = {\n" + "1, 2, 3, 4, 5, 6, 7, 8,\n" * 300 + "}\n")
  terminal.expect(r"}\n.*icl> ")
  terminal.command("#t", r"\n2400\n")


@in_prompt
def prompts_can_be_changed(terminal):
  terminal.send("_PROMPT, _PROMPT2 = 'main: ', 'more: '\n")
  terminal.expect(r"\nmain: ")
  terminal.send("(\n")
  terminal.expect(r"\nmore: ")
  terminal.send("7)\n")
  terminal.expect(r"\n7\nmain: ")


# ---- errors ----


@in_prompt
def errors_leave_everything_alive(terminal):
  terminal.command("x = icl.ones { 2 }")
  terminal.command("x + icl.ones { 3 }", r"stdin:1: .*add")
  terminal.command("error { code = 5 }", r"a table, not a message\n\{ code = 5 \}\n")
  terminal.command("error()", r"the error is nil, not a message")
  terminal.command("error(setmetatable({}, { __tostring = function() error 'in it' end }))", r"in it")
  terminal.command("error(setmetatable({}, { __tostring = function() return 'my text' end }))", r"my text")
  terminal.command("x.y.z", r"stdin:1: .*no method 'y'")
  terminal.command("({}).x.y", r"stdin:1: attempt to index a nil value")
  terminal.command("x = = 1", r"stdin:1: unexpected symbol near")
  terminal.command("icl.tensor", r"function")
  terminal.command("setmetatable({}, { __gc = function() error 'in gc' end }) collectgarbage()", r"warning: .*in gc")
  terminal.command("do local a <close> = setmetatable({}, { __close = function() error 'in close' end }) end",
                   r"in close")
  terminal.command("coroutine.wrap(function() error 'inside' end)()", r"stdin:1: inside")
  terminal.command("coroutine.resume(coroutine.create(function() error { 5 } end))", r"\nfalse\t\{ 5 \}\n")
  terminal.command("_PROMPT = setmetatable({}, { __tostring = function() error 'in prompt' end })")
  terminal.command("_PROMPT, _G = nil, nil")
  terminal.command("x:sum():item()", r"\n2\.?0?\n")


@in_prompt
def an_error_tells_the_calls_that_led_to_it(terminal):
  terminal.command("function inner() error('deep') end")
  terminal.command("function outer() inner() return 1 end")
  contains(terminal.command("x = outer()", r"deep"), "inner", "outer", "stdin:1")
  lacks(terminal.command("error('flat', 2)", r"flat"), "repl.lua", "[C]")


@in_prompt
def options_that_are_parsed_leave_the_prompt_alive(terminal):
  terminal.command("options = icl.options 'My options': value('speed', 1, 'how fast')")
  terminal.command("options:parse { '--sped', '2' }", r"no option --sped \(did you mean --speed\?\)")
  terminal.command("options:parse { '--help' }", r"--speed N")
  terminal.command("options:parse { '--speed', '3' }", r"\{ speed = 3 \}")
  terminal.command("pcall(options.parse, options, { '--sped' })", r"\nfalse\t.*no option --sped")


@in_prompt
def a_failed_step_is_dropped(terminal):
  terminal.command("s = icl.state { 1 }")
  terminal.command("icl.step(function() s:write(s + 1) error('stop here') end)", r"stop here")
  terminal.command("s:get()[1]", r"\n1\.?0?\n")
  terminal.command("icl.step(function() s:write(s + 1) end)")
  terminal.command("s:get()[1]", r"\n2\.?0?\n")


# ---- interrupts ----


@in_prompt
def ctrl_c_clears_the_line(terminal):
  terminal.send("this is no Lua")
  terminal.expect("no Lua")
  terminal.send("\x03")
  terminal.expect(r"\nicl> ")
  terminal.command("'fine'", r'\n"fine"\n')


@in_prompt
def ctrl_c_stops_an_endless_loop(terminal):
  terminal.command("kept = 5")
  for loop in ("while true do end", "while true do pcall(error) end",
               "repeat pcall(function() while true do end end) until false",
               "coroutine.wrap(function() while true do end end)()"):
    terminal.send(f"print 'begin' {loop}\n")
    terminal.expect(r"\nbegin\n")
    terminal.send("\x03")
    terminal.expect(r"stopped.*?\nicl> ")
  terminal.command("kept", r"\n5\n")


@in_prompt
def ctrl_c_stops_a_computation(terminal):
  terminal.command("x = icl.random.normal { 64, 32, 32, 64 }")
  terminal.command("w = icl.state(icl.random.normal { 3, 3, 64, 64 })")
  terminal.command("function work() return icl.step(function() local y = x for i = 1, 400 do y = y:conv2d(w, "
                   "{ padding = 1 }) y = y:relu() end return y:sum() end) end")
  terminal.send("print 'begin' work() print 'never'\n")
  terminal.expect(r"\nbegin\n")
  terminal.send("\x03")
  terminal.expect(r"stopped")
  lacks(terminal.expect(r".*?\nicl> ").group(0), "\nnever")
  terminal.command("w:shape()[1]", r"\n3\n")
  terminal.command("icl.step(function() return icl.ones({ 2 }):sum() end):item()", r"\n2\.?0?\n")


@in_prompt
def ctrl_c_in_an_evaluation_puts_modes_and_weights_back(terminal):
  terminal.command("m = icl.models.resnet_preact { depth = 110, initial_channels = 4, input = { 4, 4, 1 } }")
  terminal.command("s = icl.data.set { images = icl.zeros({ 64, 4, 4, 1 }, 'u8'), labels = icl.zeros({ 64 }, 'i64'), "
                   "classes = 10, mean = { 0 }, std = { 1 } }")
  terminal.command("e, w = icl.ema(m), m.fc.bias:bytes() e:named_states()[#e:named_states()].state:set(7)")
  terminal.command("function stop() print 'begin' while true do end end")
  terminal.send("e:apply(icl.evaluate, m, s, { metrics = { stop = stop } })\n")
  terminal.expect(r"\nbegin\n")
  terminal.send("\x03")
  terminal.expect(r"stopped.*?\nicl> ")
  terminal.command("m.fc.bias:bytes() == w", r"\ntrue\n")
  terminal.command("n = 0 m:apply(function(l) n = n + (l.training and 1 or 0) end)")
  terminal.command("n == #m:named_modules()", r"\ntrue\n")
  terminal.command("e:apply(function() return m.fc.bias:max():item() end)", r"\n7\.0\n")


LONG = (
  "a = icl.random.normal { 3000, 3000 } begin() for i = 1, 1000 do a = a:matmul(a) * 1e-4 end",
  "begin() while true do pcall(function() return icl.ones { 500, 500 }:exp():sum():item() end) end",
  "begin() coroutine.wrap(function() while true do pcall(coroutine.wrap(function() while true do end end)) end end)()",
  "t = {} for i = 1, 1000000 do t[i] = i end begin() while true do icl.tensor(t) end",
  "icl.ones { 2 }, setmetatable({}, { __tostring = function() begin() while true do end end })",
  "begin() for batch in icl.run {}:batches(images) do end",
)


def at_long_work():
  """Yields, for each line of LONG, a prompt that is busy with it. Few of the images fit into a second."""
  with folder() as home:
    for part in ("a", "b"):
      os.makedirs(home / f"images/{part}")
    write_png_rows(home / "images/a/0.png", 4000, 4000, bytes(4000 * 12001))
    for number in range(100):
      os.link(home / "images/a/0.png", home / f"images/b/{number}.png")
    for line in LONG:
      with prompt(home.path, cwd=home.path) as terminal:
        terminal.command("images = icl.data.loader(icl.data.folder('images', { workers = 1 }), { batch_size = 100 })")
        terminal.command("function begin() print 'begin' io.stdout:flush() end")
        terminal.send(line + "\n")
        terminal.expect(r"\nbegin\n")
        yield terminal


@test
def ctrl_c_stops_whatever_runs_and_hits_nothing_else():
  for terminal in at_long_work():
    terminal.send("\x03")
    terminal.expect(r"(stopped|interrupted).*?\nicl> ")
    terminal.command("icl.ones({ 3 }):sum():item()", r"\n3\.0\n")


@test
def a_second_ctrl_c_at_once_is_the_same_wish():
  for terminal in at_long_work():
    terminal.send("\x03\x03")
    terminal.expect(r"\nicl> ")  # what it says may be gone: a terminal throws away what it has not shown yet
    terminal.send("\nprint('al' .. 'ive')\n")
    terminal.expect(r"\nalive\nicl> ")


@test
def term_ends_whatever_runs():
  for terminal in at_long_work():
    os.kill(terminal.pid, signal.SIGTERM)
    equal(terminal.end(), -signal.SIGTERM)


@test
def a_program_starts_beside_a_stream_of_images():
  with folder() as home:
    for part in ("a", "b"):
      os.makedirs(home / f"images/{part}")
      write_png_rows(home / f"images/{part}/0.png", 400, 400, bytes(400 * 1201))
    with prompt(home.path, cwd=home.path) as terminal:
      terminal.command("images = icl.data.loader(icl.data.folder 'images', { batch_size = 1 })")
      terminal.command("for batch in icl.run {}:batches(images) do print(batch.number, os.execute 'true') end",
                       r"\n1\ttrue\texit\t0\n2\ttrue\texit\t0\n")


@in_prompt
def term_counts_behind_ctrl_c(terminal):
  terminal.command("function slow() return (('a'):rep(24)):find(('a-'):rep(9) .. 'b') end")
  terminal.send("print 'begin' slow()\n")  # one call of a function in C, which a hook cannot stop
  terminal.expect(r"\nbegin\n")
  os.kill(terminal.pid, signal.SIGINT)
  os.kill(terminal.pid, signal.SIGTERM)
  equal(terminal.end(), -signal.SIGTERM)


@in_prompt
def ctrl_c_again_after_a_while_kills(terminal):
  terminal.send("print 'begin' print((('a'):rep(60)):find(('a-'):rep(30) .. 'b'))\n")
  terminal.expect(r"\nbegin\n")
  time.sleep(0.5)  # until the call that no hook can stop has begun
  terminal.send("\x03")
  time.sleep(1.5)  # a signal within a second is the same wish
  os.kill(terminal.pid, signal.SIGINT)
  equal(terminal.end(), -signal.SIGINT)


@in_prompt
def ctrl_c_in_a_step_drops_it(terminal):
  terminal.command("s = icl.state { 1 }")
  terminal.send("print 'begin' icl.step(function() s:write(s + 1) while true do end end)\n")
  terminal.expect(r"\nbegin\n")
  terminal.send("\x03")
  terminal.expect(r"stopped.*?\nicl> ")
  terminal.command("s:get()[1]", r"\n1\.?0?\n")
  terminal.command("icl.step(function() s:write(s + 1) end)")
  terminal.command("s:get()[1]", r"\n2\.?0?\n")


@in_prompt
def a_signal_that_ends_programs_ends_it(terminal):
  os.kill(terminal.pid, signal.SIGTERM)
  equal(terminal.end(), -signal.SIGTERM)


@in_prompt
def a_signal_during_a_line_ends_it(terminal):
  terminal.send("print 'begin' while true do end\n")
  terminal.expect(r"\nbegin\n")
  os.kill(terminal.pid, signal.SIGTERM)
  equal(terminal.end(), -signal.SIGTERM)


@in_prompt
def a_new_width_does_not_disturb(terminal):
  terminal.send("'be")
  terminal.expect("'be")
  terminal.resize(60)
  terminal.command("fore'", r'\n"before"\n')


@in_prompt
def it_goes_on_after_a_stop(terminal):
  terminal.send("'be")
  terminal.expect("'be")
  os.kill(terminal.pid, signal.SIGSTOP)
  os.kill(terminal.pid, signal.SIGCONT)
  terminal.expect(r"icl> 'be")  # drawn anew
  terminal.command("fore'", r'\n"before"\n')


# ---- leaving ----


@in_prompt
def ctrl_d_leaves(terminal):
  terminal.send("\x04")
  equal(terminal.end(), 0)


@in_prompt
def os_exit_leaves_with_its_code(terminal):
  terminal.send("os.exit(7)\n")
  equal(terminal.end(), 7)


@test
def prompt_after_a_file():
  with folder() as home:
    recipe = home.write("recipe.lua", "value = 40\nlocal icl = require 'icl'\nx = icl.ones { 2 }\n")
    with prompt(home.path, "-i", recipe) as terminal:
      terminal.command("value + 2", r"\n42\n")
      terminal.command("fresh = 1")
      terminal.command("fresh", r"\n1\n")
      terminal.command("absent", r"no variable 'absent'")
      terminal.command("x:sum():item()", r"\n2\.?0?\n")


@test
def a_file_that_fails_still_gives_a_prompt():
  with folder() as home:
    recipe = home.write("recipe.lua", "value = 40\nerror 'on purpose'\n")
    with Terminal("-i", recipe, env=environment(HOME=home.path)) as terminal:
      terminal.expect(r"recipe.lua:2: on purpose.*icl> ")
      terminal.command("value", r"\n40\n")


LOCALS = """#!/usr/bin/env icl
local width, unset = 3, nil
local icl = require 'icl'
local width = width + 1
y = 5
local function area(height) local hidden = 1 return width * height end
do local inner = 7 end
"""


@test
def the_prompt_after_a_file_has_its_locals():
  with folder() as home:
    for end, seen in (("", ""), ("return area(1), ...\n", ""), ("error 'on purpose'\n", r"recipe.lua:8: on purpose"),
                      ("icl.zeros { -1 }\n", r"recipe.lua:8: "), ("area(nil)\n", r"recipe.lua:6: .*recipe.lua:8: in main")):
      recipe = home.write("recipe.lua", LOCALS + end)
      with Terminal("-i", recipe, env=environment(HOME=home.path)) as terminal:
        terminal.expect(seen + r".*icl> ")
        terminal.command("width, unset, y", r"\n4\tnil\t5\n")
        terminal.command("area(2)", r"\n8\n")
        terminal.command("hidden", "there is no variable 'hidden'")
        terminal.command("inner", "there is no variable 'inner'")
        terminal.command("icl_ending", "there is no variable 'icl_ending'")
        terminal.command("widht", r"did you mean width")
        terminal.command("width = 9; width", r"\n9\n")
        terminal.command("y = 6; _G.y", r"\n6\n")
        terminal.command("z = 7; _G.z, z", r"\n7\t7\n")
        terminal.send("_PROMPT = 'now> '\n")
        terminal.expect(r"\nnow> ")
        terminal.send("unse\t\n")
        terminal.expect(r"unset.*\nnil\n")


@test
def the_prompt_after_a_file_that_cannot_be_read():
  with folder() as home:
    recipe = home.write("recipe.lua", "#!/usr/bin/icl\n\nx = = 1\n")
    contains(run("-i", recipe, stdin="").stderr, "recipe.lua:3: unexpected symbol near '='")
    contains(run("-i", home.path, stdin="").stderr, "cannot read")
    result = run("-e", "local x = 40", "-i", stdin="x + 2\n")
    contains(success(result), "42")


# ---- completion ----


@in_prompt
def tab_completes_names(terminal):
  terminal.send("xylophone = { strings = { 7 } }\n")
  terminal.expect(r"\n.*?icl> ")
  terminal.send("xylo\t.str\t[1]\n")
  terminal.expect(r"\n7\n.*?icl> ")
  terminal.send("('x'):rep(2) .. tostr\t(5)\n")
  terminal.expect(r'\n"xx5"\n.*?icl> ')


@in_prompt
def tab_lists_what_is_possible(terminal):
  terminal.send("icl.nn.\t\t")
  contains(terminal.expect(r"batch_norm.*sequential").group(0), "conv2d", "linear")
  terminal.send("conv2\t(3, 4, 3)\n")
  terminal.expect(r"conv2d 3 -> 4.*icl> ")


@in_prompt
def tab_completes_methods(terminal):
  terminal.command("x = icl.ones { 2, 2 }")
  terminal.send("x:resh\t(4):item\t")
  terminal.expect(r"x:reshape\(4\):item")
  terminal.send("\x03")
  terminal.expect(r"\nicl> ")
  terminal.send("x:re\t\t")
  contains(terminal.expect(r"relu.*reshape|reshape.*relu").group(0), "relu")
  terminal.send("\x03")
  terminal.expect(r"\nicl> ")
  terminal.command("model = icl.nn.linear(2, 3)")
  terminal.send("model:named_p\t()[1].name\n")
  terminal.expect(r'\n"weight"\n.*?icl> ')
  terminal.send("model.wei\t:sha\t()[2]\n")
  terminal.expect(r"\n3\n.*?icl> ")


@in_prompt
def tab_completes_attributes_of_ops(terminal):
  terminal.send("icl.ops.conv2d(x, w, { str\t = 1, pad\t")
  terminal.expect(r"stride = 1, padding")


# ---- history ----


@test
def lines_are_recalled_now_and_later():
  with folder() as home:
    with prompt(home.path) as terminal:
      terminal.command("'fir' .. 'st'", r'\n"first"\n')
      terminal.command("'sec' .. 'ond'", r'\n"second"\n')
      terminal.send("\x10\x10\n")  # twice Ctrl-P
      terminal.expect(r'\n"first"\nicl> ')
      terminal.send("\x04")
      equal(terminal.end(), 0)
    path = home / ".local/state/icl/history"
    equal(read_bytes(path).decode().splitlines()[:2], ["'fir' .. 'st'", "'sec' .. 'ond'"])
    equal(os.stat(path).st_mode & 0o077, 0)
    with prompt(home.path) as terminal:
      terminal.send("\x12ond\n")  # Ctrl-R searches
      terminal.expect("ond")
      terminal.send("\n")
      terminal.expect(r'"second"')


@test
def several_lines_are_one_entry_of_the_history():
  lines = "function twice(x)", "\treturn x * 2 -- \\v", "end"
  with folder() as home:
    with prompt(home.path, TERM="dumb") as terminal:
      terminal.send("\n".join(lines) + "\n")
      terminal.expect(r">> icl> ")
      terminal.command("'after'", r'\n"after"\n')
      terminal.send("\x04")
      equal(terminal.end(), 0)
    equal(len(read_bytes(home / ".local/state/icl/history").splitlines()), 2)
    with prompt(home.path) as terminal:
      terminal.send("\x10\x10")  # twice Ctrl-P
      terminal.expect(r"function twice.*return x \* 2.*end")
      terminal.send("\n")
      terminal.expect(r"\nicl> ")
      terminal.command("twice(21)", r"\n42\n")


@test
def history_lies_where_the_environment_says():
  with folder() as home:
    for value, expected in ((home / "state", home / "state/icl/history"),
                            ("relative", home / ".local/state/icl/history")):
      with Terminal(env=environment(HOME=home.path, XDG_STATE_HOME=value), cwd=home.path) as terminal:
        terminal.expect("icl> ")
        terminal.command("1 + 1", r"\n2\n")
      contains(read_bytes(expected).decode(), "1 + 1\n")
    assert not os.path.exists(home / "relative")


@test
def a_history_that_cannot_be_written_is_told_once():
  with folder() as home:
    home.write(".local", "a file where a folder should be")
    with prompt(home.path) as terminal:
      contains(terminal.command("1"), "will not be remembered")
      lacks(terminal.command("2"), "will not be remembered")


@test
def a_large_or_damaged_history_is_cut():
  with folder() as home:
    os.makedirs(home / ".local/state/icl")
    path = home.write(".local/state/icl/history", b"\x00\xff\x01\n" * 1000 + b"'line'\n" * 300000)
    with prompt(home.path) as terminal:
      terminal.send("\x10\n")
      terminal.expect(r'\n"line"\nicl> ')
    assert len(read_bytes(path)) < 20000


# ---- help ----


@in_prompt
def help_tells_what_there_is(terminal):
  contains(terminal.command("help()", r"help\(x\)"), "help \"word\"", "Ctrl-D", "augment", "schedule")


@in_prompt
def help_explains_functions_layers_and_ops(terminal):
  terminal.command("help(icl.step)", r"icl\.step\(f, \.\.\.\)")
  terminal.command("help(icl.fit)", r"icl\.fit \{ model =")
  terminal.command("help(icl.grad)", r"their gradients")
  terminal.command("help(icl.nn.conv2d)", r"nn\.conv2d\(input, output, kernel")
  terminal.command("help(icl.nn.conv2d(1, 2, 3))", r"nn\.conv2d\(input, output, kernel")
  contains(terminal.command("help(icl.ops.conv2d)", r"zero padding"), "stride = 1", "groups", "gradient")
  contains(terminal.command("help(icl.ops.argmax)", r"no gradient"), "dim")
  contains(terminal.command("help(icl.schedule)", r"icl\.schedule \{ type ="), "cosine")
  contains(terminal.command("help(icl.nn)", r"layers"), "max_pool2d", "nn.layer(")
  contains(terminal.command("help(icl.ones { 2 })", r"a tensor"), "reshape")
  terminal.command("help(nil)", r"help \"word\" searches")
  terminal.command("help(5)", r"a number")


@in_prompt
def help_searches(terminal):
  contains(terminal.command('help "pool"', r"max_pool2d"), "icl.nn.avg_pool2d", "global_avg_pool")
  terminal.command('help "icl.nn.linear"', r"nn\.linear\(input, output")
  terminal.command('help "conv2"', r"icl\.ops\.conv2d ")
  terminal.command('help "cnov2d"', r"did you mean conv2d")


@test
def help_explains_functions_of_a_file():
  with folder() as home:
    recipe = home.write("mine.lua", "-- mine(x): what I wrote.\nfunction mine(x) return x end\nfunction bare() end\n")
    with prompt(home.path, "-i", recipe) as terminal:
      terminal.command("help(mine)", r"\nmine\(x\): what I wrote\.")
      terminal.command("help(bare)", r"no description:\nfunction bare\(\)")


# ---- without a terminal that can move its cursor ----


@test
def a_dumb_terminal_works():
  with folder() as home, prompt(home.path, TERM="dumb") as terminal:
    terminal.command("1 + 1", r"\n2\n")
    terminal.send("half a li")
    terminal.send("\x03")
    terminal.expect(r"\nicl> ")
    terminal.send("\x04")
    equal(terminal.end(), 0)


@test
def letters_beyond_ascii_need_no_locale():
  with folder() as home:
    for names in ({"LANG": "C"}, {"LC_ALL": "POSIX"}, {"LANG": "xx_YY.nosuch"}, {"LANG": "C", "TERM": "dumb"}):
      with prompt(home.path, **names) as terminal:
        terminal.command("#'größe', 'größe'", r'\n7\t"größe"\n')


@test
def a_home_that_is_not_there_or_read_only():
  for home in ("", "/proc", "/dev/null"):
    with prompt(home) as terminal:
      terminal.command("1 + 1", r"\n2\n")
      terminal.send("\x04")
      equal(terminal.end(), 0)


@test
def a_pipe_can_be_a_prompt_too():
  with folder() as home:
    empty = home.write("empty.lua", "")
    output = success(run("-i", empty, stdin="1 + 1\nerror 'x'\n'last'", env=environment(HOME=home.path)))
    contains(output, "2\n", '"last"\n')
    assert not os.path.exists(home / ".local")


close()
