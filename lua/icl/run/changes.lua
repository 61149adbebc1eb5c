-- run/changes.lua: the variables of a recipe that were changed at the prompt over its run, which are changed again
-- where the run goes on.
local frames = require "icl.internal.frames"

-- Gives the variables of the functions in `thread` the values that run.changes has.
local function apply(run, thread)
  local variables, missing = frames(thread), {}
  for _, change in ipairs(run.changes) do
    if variables:has(change.name) then
      variables:set(change.name, change.value)
      run:line(("Changed as at the prompt in step %d: %s = %s"):format(change.step, change.name,
        tostring(change.value)))
    else
      missing[#missing + 1] = change.name
    end
  end
  if #missing > 0 then
    run:warn(("changed at the prompt before, but not to be found here: %s"):format(table.concat(missing, ", ")))
  end
end

-- repeat_for(run): once in a run that goes on, called from its loop over epochs.
local function repeat_for(run)
  if not run.to_change then return end
  run.to_change = false
  coroutine.wrap(apply)(run, coroutine.running())
end

return { repeat_for = repeat_for }
