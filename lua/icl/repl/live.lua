-- repl/live.lua: the prompt over a run that waits between two passes. It sees the variables of the recipe and can
-- change them; what is done there disturbs neither draws nor modes of the run.
local checkpoint = require "icl.run.checkpoint"
local fail = require "icl.internal.fail"
local frames = require "icl.internal.frames"
local nn = require "icl.nn.module"
local places = require "icl.internal.places"
local repl = require "icl.repl"
local variables = require "icl.repl.globals"

-- The numbers among the settings of what a run keeps, by path: "schedule.base_lr".
local function settings_of(run)
  local list = {}
  local function add(path, values)
    for name, value in pairs(values) do
      if type(value) == "table" then add(path .. "." .. name, value) else list[path .. "." .. name] = value end
    end
  end
  for name, thing in pairs(run.kept) do
    if checkpoint.has_settings(thing) then add(name, thing:settings()) end
  end
  return list
end

local function is_constant(value)
  return value == nil or type(value) == "boolean" or type(value) == "number" or type(value) == "string"
end

-- What the run is told of a variable that was changed: constants are changed again where it is resumed.
local function note(run, name, before, after)
  if not (is_constant(before) and is_constant(after)) or before == after then return end
  run.changes[#run.changes + 1] = { step = run.step, name = name, value = after }
  run:line(("Changed at the prompt in step %d: %s = %s (it was %s)"):format(run.step, name, tostring(after),
    tostring(before)))
end

-- run:continue() and run:stop() while the prompt is open; they set the field `wish` of what is returned.
local function commands_of(run)
  local commands = setmetatable({}, { __close = function() run.continue, run.stop = nil, nil end })
  function run.continue() commands.wish = "continue" end
  function run.stop() commands.wish = "stop" end
  return commands
end

-- Serves the prompt over the variables of `thread`; -> a wish, or the signal that ended it.
local function serve(run, thread)
  local commands <close> = commands_of(run)
  local variables_of = frames(thread)
  local globals = variables.over(variables_of, function(...) note(run, ...) end)
  if not variables_of:has "run" then rawset(globals, "run", run) end
  local greeting = ("The run waits in epoch %d, step %d. run:continue() or Ctrl-D goes on, run:stop() ends it, "
    .. "run:save() saves."):format(run.epoch, run.step)
  local signal = repl { globals = globals, greeting = greeting, is_over = function() return commands.wish ~= nil end }
  return signal and "TERM" or commands.wish
end

-- live(run) -> "stop" where the run is to end, "TERM" where that signal ended the prompt; otherwise the run goes on.
return function(run)
  local modes <close> = nn.keep_modes(run.kept)
  local before = settings_of(run)
  places.enter(places.name "prompt", 0)
  local outside <close> = places.leaving
  local ok, wish = coroutine.resume(coroutine.create(serve), run, coroutine.running())
  if not ok then fail("%s", tostring(wish)) end
  for path, value in pairs(settings_of(run)) do
    if before[path] ~= value then
      run:line(("Changed at the prompt in step %d: %s = %s"):format(run.step, path, tostring(value)))
    end
  end
  return wish
end
