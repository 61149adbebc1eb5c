-- internal/outcome.lua: what a program leaves behind: whether something failed although it went on, which is exit code
-- 1; whether a run has said that a signal ended it, `stopped`; and the last figure, for a program that started this one
-- and names a file for it.
local numbers = require "icl.internal.numbers"

local outcome = { variable = "ICL_OUTCOME" }

-- outcome.fail(text): the program has failed; `text` says in what.
function outcome.fail(text)
  outcome.failure = outcome.failure or text
end

-- outcome.is_awaited() -> did another program start this one, to begin others when it is done?
function outcome.is_awaited()
  return os.getenv(outcome.variable) ~= nil
end

-- outcome.tell(what, value): the figure that the run ends with, such as "Test error", in percent.
function outcome.tell(what, value)
  local path = os.getenv(outcome.variable)
  local file = path and io.open(path, "w")
  if not file then return end
  file:write(numbers.format("%.17g %s\n", value, what))
  file:close()
end

-- outcome.read(path) -> value, what; nil where none was told.
function outcome.read(path)
  local file = io.open(path)
  local line = file and file:read "l"
  if file then file:close() end
  local value, what = (line or ""):match "^(%S+) (.+)$"
  return value and numbers.read(value), what
end

return outcome
