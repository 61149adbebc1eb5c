"""Signals: those that end a program at once, and those that a script has deferred until it can stop."""

import signal
import subprocess
import time

from harness import ICL, close, contains, ended, environment, equal, lacks, run, start, test, wait_for


# ---- at once ----


@test
def signals_end_a_program_with_their_code():
  for number in (signal.SIGINT, signal.SIGTERM):
    process = start("-e", "print 'begin' io.stdout:flush() while true do end")
    wait_for("begin", process)
    process.send_signal(number)
    code, _, errors = ended(process)
    equal(code, -number, errors)
    contains(errors, "stopped")


@test
def a_signal_ends_a_long_computation():
  code = """local icl = require "icl"
    local x, w = icl.random.normal { 64, 32, 32, 64 }, icl.state(icl.random.normal { 3, 3, 64, 64 })
    print "begin" io.stdout:flush()
    icl.step(function() local y = x for i = 1, 400 do y = y:conv2d(w, { padding = 1 }):relu() end return y:sum() end)
    print "never" """
  process = start("-e", code)
  wait_for("begin", process)
  time.sleep(0.2)
  process.send_signal(signal.SIGINT)
  code, output, errors = ended(process)
  equal(code, -signal.SIGINT, errors)
  lacks(output, "never")


@test
def a_signal_cannot_be_swallowed():
  process = start("-e", "print 'begin' io.stdout:flush() while true do pcall(function() while true do end end) end")
  wait_for("begin", process)
  process.send_signal(signal.SIGTERM)
  equal(ended(process)[0], -signal.SIGTERM)


# ---- deferred ----

# A loop that says what comes, and ends with the signal where that is to leave.
LOOP = """local core = require "icl.core"
  core.signals_defer(true, { "HUP", "USR1" })
  print "begin" io.stdout:flush()
  while true do
    local name = core.signal_pending()
    if name then
      assert(core.signal_pending() == name and core.signal_take() == name and core.signal_take() == nil)
      print("took " .. name) io.stdout:flush()
      if name == "INT" or name == "TERM" then core.signal_raise(name) end
    end
  end"""
# The same where nobody ever looks.
DEAF = """local core = require "icl.core"
  core.signals_defer(true, { "HUP", "USR1" })
  print "begin" io.stdout:flush()
  while true do pcall(function() while true do end end) end"""


def begun(code, **options):
  process = start("-e", code, **options)
  wait_for("begin", process)
  return process


@test
def a_deferred_signal_is_taken_where_the_script_looks():
  for number, name in ((signal.SIGINT, "INT"), (signal.SIGTERM, "TERM")):
    process = begun(LOOP)
    process.send_signal(number)
    code, output, errors = ended(process)
    equal(code, -number, errors)
    equal(output, f"took {name}\n")
    contains(errors, f"stopped by {name}")


@test
def hup_and_usr1_are_noted_and_the_program_goes_on():
  process = begun(LOOP)
  for number, name in ((signal.SIGHUP, "HUP"), (signal.SIGUSR1, "USR1"), (signal.SIGHUP, "HUP")):
    process.send_signal(number)
    wait_for(f"took {name}", process)
  process.send_signal(signal.SIGINT)
  equal(ended(process)[:2], (-signal.SIGINT, "took INT\n"))


@test
def hup_and_usr1_are_noted_alone_too():
  process = begun(LOOP.replace("(true", "(false"))
  for number, name in ((signal.SIGUSR1, "USR1"), (signal.SIGHUP, "HUP")):
    process.send_signal(number)
    wait_for(f"took {name}", process)
  process.send_signal(signal.SIGINT)
  code, output, errors = ended(process)
  equal((code, output), (-signal.SIGINT, ""), errors)
  contains(errors, "stopped by INT")
  # One to leave that was noted before stops as the deferral of such ends, and the others go on to be noted.
  process = begun("""local core = require "icl.core"
    core.signals_defer(true)
    print "begin" io.stdout:flush()
    while core.signal_pending() ~= "TERM" do end
    core.signals_defer(false, { "USR1" })
    print "not reached" """)
  process.send_signal(signal.SIGTERM)
  equal(ended(process)[:2], (-signal.SIGTERM, ""))


@test
def a_second_signal_stops_at_once():
  for first, second in ((signal.SIGINT, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)):
    process = begun(DEAF)
    process.send_signal(first)
    time.sleep(0.5)
    equal(process.poll(), None)
    process.send_signal(second)
    code, _, errors = ended(process)
    equal(code, -second, errors)
    contains(errors, "stopped by")


@test
def two_signals_of_one_wish_are_one():
  process = begun(DEAF)
  for _ in range(5):
    process.send_signal(signal.SIGTERM)
  time.sleep(0.5)
  equal(process.poll(), None)
  process.send_signal(signal.SIGTERM)
  equal(ended(process)[0], -signal.SIGTERM)


@test
def a_third_signal_kills():
  code = """local core = require "icl.core"
    core.signals_defer(true)
    print "begin" io.stdout:flush()
    local _ = ("a"):rep(50):find(("a?"):rep(50) .. ("a"):rep(50) .. "b")"""
  process = begun(code)
  for _ in range(2):
    process.send_signal(signal.SIGINT)
    time.sleep(1.2)
  equal(process.poll(), None)
  process.send_signal(signal.SIGINT)
  equal(ended(process)[0], -signal.SIGINT)


@test
def a_signal_to_leave_counts_more_than_one_to_save():
  process = begun("""local core = require "icl.core"
    core.signals_defer(true, { "USR1" })
    print "begin" io.stdout:flush()
    while core.signal_pending() ~= "USR1" do end
    print "saving" io.stdout:flush()
    while core.signal_pending() ~= "INT" do end
    core.signals_defer(false)
    print "never" """)
  process.send_signal(signal.SIGUSR1)
  wait_for("saving", process)
  process.send_signal(signal.SIGINT)
  code, output, errors = ended(process)
  equal((code, output), (-signal.SIGINT, ""), errors)


@test
def signals_that_nobody_asked_for_keep_their_meaning():
  for number in (signal.SIGHUP, signal.SIGUSR1):
    for code in ("", "require 'icl.core'.signals_defer(true)",
                 "local c = require 'icl.core' c.signals_defer(true, { 'HUP', 'USR1' }) c.signals_defer(false)"):
      process = begun(code + " print 'begin' io.stdout:flush() while true do end")
      process.send_signal(number)
      code, _, errors = ended(process)
      equal((code, errors), (-number, ""))


@test
def a_signal_that_was_ignored_is_noted_while_it_is_asked_for_and_ignored_again():
  process = subprocess.Popen([ICL, "-e", """local core = require "icl.core"
    core.signals_defer(true, { "HUP" })
    print "deferred" io.stdout:flush()
    repeat until core.signal_take() == "HUP"
    core.signals_defer(false)
    print "ignored" io.stdout:flush()
    os.execute "kill -HUP $PPID" """], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env=environment(),
                             preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
  wait_for("deferred", process)
  process.send_signal(signal.SIGHUP)
  equal(ended(process)[:2], (0, "ignored\n"))


@test
def an_error_ends_deferral():
  result = run("-i", "-e", "require 'icl.core'.signals_defer(true, { 'HUP' }) error 'on purpose'",
                    stdin="print 'line'\nrequire 'icl.core'.call(function() os.execute('kill -HUP $PPID') end)\n")
  equal(result.returncode, -signal.SIGHUP, result.stderr)
  contains(result.stdout, "line")


@test
def a_signal_that_nobody_took_still_stops():
  process = begun("""local core = require "icl.core"
    core.signals_defer(true)
    print "begin" io.stdout:flush()
    while not core.signal_pending() do end""")
  process.send_signal(signal.SIGTERM)
  code, _, errors = ended(process)
  equal(code, -signal.SIGTERM, errors)
  contains(errors, "stopped")


@test
def a_protected_call_begins_without_deferral_and_puts_it_back():
  process = begun("""local core = require "icl.core"
    core.signals_defer(true)
    local ok, message, signal = core.call(function()
      print "begin" io.stdout:flush()
      while true do end
    end)
    print(ok, message, signal)
    print "again" io.stdout:flush()
    while not core.signal_pending() do end
    print(core.signal_take())""")
  process.send_signal(signal.SIGINT)
  wait_for("again", process)
  process.send_signal(signal.SIGINT)
  equal(ended(process)[:2], (0, "INT\n"))


@test
def a_raised_signal_cannot_be_swallowed():
  for code in ("while true do pcall(core.signal_raise, 'INT') end",
               "while true do pcall(coroutine.wrap(function() core.signal_raise 'INT' end)) end",
               "coroutine.wrap(function() while true do pcall(coroutine.wrap(function() while true do "
               "pcall(core.signal_raise, 'INT') end end)) end end)()"):
    result = run("-e", "local core = require 'icl.core' core.signals_defer(true) " + code)
    equal(result.returncode, -signal.SIGINT, result.stderr)
    contains(result.stderr, "stopped by INT")


@test
def a_coroutine_takes_signals_and_is_stopped_by_a_second():
  process = begun(f"coroutine.wrap(function() {LOOP} end)()")
  process.send_signal(signal.SIGTERM)
  equal(ended(process)[:2], (-signal.SIGTERM, "took TERM\n"))
  process = begun(f"coroutine.wrap(function() {DEAF} end)()")
  process.send_signal(signal.SIGINT)
  time.sleep(0.5)
  process.send_signal(signal.SIGINT)
  equal(ended(process)[0], -signal.SIGINT)


@test
def output_that_a_noted_signal_interrupts_is_whole():
  process = begun("""local core = require "icl.core"
    core.signals_defer(true, { "USR1" })
    print "begin" io.stdout:flush()
    assert(io.stdout:write(("x"):rep(1 << 22)))
    assert(io.stdout:flush())""")
  for _ in range(20):
    process.send_signal(signal.SIGUSR1)
    time.sleep(0.01)
  code, output, errors = ended(process)
  equal((code, len(output)), (0, 1 << 22), errors)


@test
def a_step_that_is_computed_ends_before_the_script_looks():
  process = begun("""local icl, core = require "icl", require "icl.core"
    local x, w = icl.random.normal { 16, 32, 32, 64 }, icl.state(icl.random.normal { 3, 3, 64, 64 })
    core.signals_defer(true)
    print "begin" io.stdout:flush()
    local steps = 0
    while not core.signal_pending() do
      icl.step(function() local y = x for i = 1, 20 do y = y:conv2d(w, { padding = 1 }):relu() end return y:sum() end)
      steps = steps + 1
    end
    print("whole steps", steps > 0)
    core.signal_raise(core.signal_take())""")
  time.sleep(0.3)
  process.send_signal(signal.SIGINT)
  code, output, errors = ended(process)
  equal((code, output), (-signal.SIGINT, "whole steps\ttrue\n"), errors)


@test
def what_cannot_be_deferred_is_named():
  contains(run("-e", "require 'icl.core'.signals_defer(true, { 'KILL' })").stderr, "invalid option 'KILL'")
  contains(run("-e", "require 'icl.core'.signals_defer()").stderr, "boolean expected")
  contains(run("-e", "require 'icl.core'.signal_raise 'HUP'").stderr, "invalid option 'HUP'")


close()
