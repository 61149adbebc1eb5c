"""Programs that are killed while they save: there is always a whole file, and the next save clears up.

  test_kills.py [--kills N]
"""

import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import close, equal, folder, run, start, success, test, wait_for  # noqa: E402

KILLS = 25
if "--kills" in sys.argv:
  at = sys.argv.index("--kills")
  KILLS = int(sys.argv[at + 1])
  del sys.argv[at:at + 2]

# Saves `arg[2]` times, or for ever.
SAVING = """local core = require "icl.core"
  local last, previous, best = arg[1] .. "/last", arg[1] .. "/previous", arg[1] .. "/best"
  local list = { { name = "a", tensor = core.full({ 1 << 18 }, 1) } }
  local function save()
    local writer = core.safetensors_write_start(last, list, nil, { keep = previous, links = { best } })
    assert(writer:wait())
  end
  save()
  print "begin" io.stdout:flush()
  for _ = 1, math.tointeger(arg[2]) or math.huge do save() end"""

VERIFY = """local core = require "icl.core"
  for _, name in ipairs { "last", "previous", "best" } do
    local whole, message = core.safetensors_verify(arg[1] .. "/" .. name)
    if not whole then print(message) end
  end"""


@test
def there_is_always_a_whole_file():
  moments = random.Random(1)
  with folder() as here:
    success(run("-e", SAVING, here.path, "1"))
    for kill in range(KILLS):
      process = start("-e", SAVING, here.path)
      wait_for("begin", process)
      time.sleep(moments.random() * 0.05)
      process.kill()
      process.communicate()
      equal(success(run("-e", VERIFY, here.path)), "", f"kill {kill}")
      left = [name for name in os.listdir(here.path) if name.endswith(".tmp")]
      assert len(left) <= 2, f"kill {kill}: {left}"
    success(run("-e", SAVING, here.path, "1"))
    equal(sorted(os.listdir(here.path)), ["best", "last", "previous"])


close()
