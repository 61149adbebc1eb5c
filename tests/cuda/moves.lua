-- moves.lua: a state that is written between steps lies elsewhere in the next; steps go by where it is, whether that
-- changes all the time, for a while, or not at all any more.
--
--   icl tests/cuda/moves.lua --device cuda
local icl = require "icl"

icl.options "A state that moves": include(icl.options.runtime): parse(arg)
local passed, failed = 0, 0

local state = icl.state { 0, 0, 0 }
local function count()
  icl.step(function() state:write(state:read() + 1) end)
end

for round = 1, 40 do
  state:write(icl.tensor { round, round, round })
  local steps = round % 10 == 0 and 4 or 1
  for _ = 1, steps do count() end
  local found = state:read():at(2):item()
  if found == round + steps then
    passed = passed + 1
  else
    failed = failed + 1
    print(("failed: %g behind %d steps from %d on"):format(found, steps, round))
  end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0, true)
