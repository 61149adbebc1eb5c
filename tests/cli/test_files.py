"""Folders, locks and files that are written as a whole, as several processes see them."""

import os
import signal
import stat

from harness import close, contains, ended, environment, equal, folder, read_bytes, run, start, success, test, wait_for

CORE = 'local core = require "icl.core" '


def lua(code, *arguments, **options):
  return success(run("-e", CORE + code, *arguments, **options))


# ---- folders ----


@test
def folders_are_made_with_those_above_them():
  with folder() as here:
    equal(lua("print(core.make_folder(arg[1]), core.make_folder(arg[1]))", here / "a/b//c/"), "true\ttrue\n")
    assert os.path.isdir(here / "a/b/c")
    equal(lua("print(core.make_folder '~/x/y')", env=environment(HOME=here.path)), "true\n")
    assert os.path.isdir(here / "x/y")
    here.write("file", "")
    contains(lua("print(core.make_folder(arg[1]))", here / "file"), f"nil\t{here.path}/file: cannot make it a folder")
    contains(lua("print(core.make_folder(arg[1]))", here / "file/below"), "cannot make it a folder")
    equal(lua("print(core.make_folder '')"), "nil\ta folder cannot have an empty name\n")


@test
def a_new_folder_was_not_there():
  with folder() as here:
    equal(lua("print(core.new_folder(arg[1]))", here / "a"), "true\n")
    equal(lua("print(core.new_folder(arg[1]))", here / "a"),
          f"nil\t{here.path}/a: cannot make it a folder: File exists\ttrue\n")
    equal(lua("print(core.new_folder(arg[1]))", here / "x/y"),
          f"nil\t{here.path}/x/y: cannot make it a folder: No such file or directory\tfalse\n")


@test
def processes_that_number_folders_get_different_ones():
  code = CORE + """for _ = 1, 20 do
      local number = 1
      while not core.new_folder(("%s/%03d"):format(arg[1], number)) do number = number + 1 end
      print(number)
    end"""
  with folder() as here:
    processes = [start("-e", code, here.path) for _ in range(4)]
    numbers = []
    for process in processes:
      code, output, errors = ended(process)
      equal(code, 0, errors)
      numbers += map(int, output.split())
    equal(sorted(numbers), list(range(1, 81)))


@test
def names_are_listed_by_their_bytes():
  with folder() as here:
    for name in ("b", "a", "B", ".hidden", "\u00e9", "a-b"):
      here.write(name, "")
    equal(lua("print(table.concat(core.list_folder(arg[1]), ' '))", here.path), ".hidden B a a-b b \u00e9\n")
    equal(lua("print(core.list_folder(arg[1]))", here / "absent"),
          f"nil\t{here.path}/absent: cannot list it: No such file or directory\n")
    contains(lua("print(core.list_folder(arg[1]))", here / "a"), "Not a directory")
    os.mkdir(here / "empty")
    equal(lua("print(#core.list_folder(arg[1]))", here / "empty"), "0\n")


# ---- files ----


@test
def a_file_is_written_as_a_whole():
  with folder() as here:
    path = here.write("file", "old")
    os.chmod(path, 0o640)
    equal(lua("print(core.file_write(arg[1], 'a\\0b'))", path), "true\n")
    equal(read_bytes(path), b"a\0b")
    equal(stat.S_IMODE(os.stat(path).st_mode), 0o640)
    contains(lua("print(core.file_write(arg[1], 'x'))", here / "absent/file"), "nil\t", "cannot open its folder")
    equal(os.listdir(here.path), ["file"])


# ---- locks ----

HOLDING = CORE + """local lock = assert(core.file_lock(arg[1]))
  print "begin" io.stdout:flush()
  while true do end"""


@test
def a_lock_is_held_until_it_is_closed_or_collected():
  with folder() as here:
    output = lua("""local path = arg[1]
      local lock = assert(core.file_lock(path))
      print(core.file_locked(path), (core.file_lock(path)))
      lock:close()
      lock:close()
      print(core.file_locked(path))
      do local scoped <close> = core.file_lock(path) print(core.file_locked(path)) end
      print(core.file_locked(path))
      lock = core.file_lock(path)
      lock = nil
      collectgarbage()
      print(core.file_locked(path), core.file_locked(path .. ".absent"))
      print(core.file_lock(path .. "/below"))""", here / "log")
    contains(output, "true\tnil\nfalse\ntrue\nfalse\nfalse\tfalse\n", "nil\t", "below: cannot open it: Not a directory")


@test
def a_lock_ends_with_its_process_however_that_ends():
  with folder() as here:
    path = here.write("log", "kept\n")
    for end in (signal.SIGKILL, signal.SIGTERM):
      process = start("-e", HOLDING, path)
      wait_for("begin", process)
      output = lua("print(core.file_locked(arg[1]), core.file_lock(arg[1]))", path)
      contains(output, f"true\tnil\t{path}: it is locked by ")
      if os.path.exists("/proc/locks") and str(process.pid) in open("/proc/locks").read().split():
        contains(output, f"by process {process.pid}\n")
      process.send_signal(end)
      ended(process)
      equal(lua("print(core.file_locked(arg[1]))", path), "false\n")
    equal(read_bytes(path), b"kept\n")


@test
def programs_that_are_started_do_not_inherit_a_lock():
  with folder() as here:
    lua("local lock = core.file_lock(arg[1]) os.execute 'sleep 5 >/dev/null 2>&1 &'", here / "log")
    equal(lua("print(core.file_locked(arg[1]))", here / "log"), "false\n")


@test
def who_only_looks_is_not_taken_for_the_one_at_work():
  with folder() as here:
    path = here.write("log", "")
    looking = start("-e", CORE + "print 'begin' io.stdout:flush() while true do core.file_locked(arg[1]) end", path)
    wait_for("begin", looking)
    output = lua("for _ = 1, 200 do assert(core.file_lock(arg[1])):close() end print 'always'", path)
    looking.kill()
    ended(looking)
    equal(output, "always\n")


# ---- the build ----


@test
def a_build_has_a_number_of_its_own():
  first = lua("print(core.build_id())")
  assert len(first.strip()) >= 8 and int(first, 16) >= 0, first
  equal(lua("print(core.build_id())"), first)


close()
