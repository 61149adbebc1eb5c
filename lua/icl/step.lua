-- step.lua: icl.step(f, ...) records what f does and evaluates it as one program.
--
-- At the end of the step the writes of states, tensors marked with t:keep() and the tensors that f returns are
-- evaluated, and nothing else. An error in f drops the step: states stay as they were. A coroutine that yields in a
-- step leaves it open until it is resumed and ends it, is closed, or nobody can resume it any more.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local places = require "icl.internal.places"

-- A step that is open. Of one whose coroutine failed, and is closed later, nothing is left to end.
local open = {
  __close = function(step)
    if core.in_step() then core.step_cancel() end
    places.leave(step.place)
  end,
}

local function commit(...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    if type(value) == "userdata" and value.keep then value:keep() end
  end
  core.step_end()
  return ...
end

-- icl.step(f, ...) -> what f(...) returns. Steps do not nest.
local function step(f, ...)
  arguments.typed("icl.step", f, "function", "a function")
  core.step_begin()
  local guard <close> = setmetatable({ place = places.enter_step() }, open)
  return commit(f(...))
end

return step
