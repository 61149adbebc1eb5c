-- repl/live.lua: the prompt over a run that waits between two passes. It sees the variables of the recipe and can
-- change them, and behind them what the run keeps; what is done there disturbs neither draws nor modes of the run.
local checkpoint = require "icl.run.checkpoint"
local condition = require "icl.options.condition"
local fail = require "icl.internal.fail"
local frames = require "icl.internal.frames"
local nn = require "icl.nn.module"
local places = require "icl.internal.places"
local repl = require "icl.repl"
local tracked = require "icl.internal.tracked"
local usage = require "icl.internal.usage"
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

-- Copies of the options of a command line among the variables of a recipe: { [its name] = { name = value } }.
local function options_of(variables)
  local copies = {}
  for _, name in ipairs(variables:names()) do
    local values = variables:get(name)
    if type(values) == "table" and usage.origin(values) then
      copies[name] = {}
      for key, value in pairs(tracked.plain(values)) do copies[name][key] = value end
    end
  end
  return copies
end

-- What was made of options before the run began stays as it is; a line about each that was changed.
local function tell_of_options(run, variables, before)
  for name, old in pairs(before) do
    local now = variables:get(name)
    for key, value in pairs(usage.origin(now) and tracked.plain(now) or {}) do
      if old[key] ~= value then
        run:line(("Note: %s.%s: options are read when a run is set up, and what was made of them then stays as it was; "
          .. "what the run keeps can be changed, such as schedule.base_lr"):format(name, condition.written(key, value)))
      end
    end
  end
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

-- What the prompt sees: the variables of the recipe, and where it has none of a name, what the run keeps under it.
local Visible = {}
Visible.__index = Visible

function Visible:has(name)
  return self.recipe:has(name) or self.kept[name] ~= nil
end

function Visible:get(name)
  if self.recipe:has(name) then return self.recipe:get(name) end
  return self.kept[name]
end

function Visible:set(name, value)
  if not self.recipe:has(name) then
    fail("%s is what the run keeps under this name, and stays that; its fields can be changed", name)
  end
  self.recipe:set(name, value)
end

function Visible:names()
  local names = self.recipe:names()
  for name in pairs(self.kept) do names[#names + 1] = name end
  return names
end

-- run:continue() and run:stop() while the prompt is open; they set the field `wish` of what is returned.
local function commands_of(run)
  local commands = setmetatable({}, { __close = function() run.continue, run.stop = nil, nil end })
  function run.continue() commands.wish = "continue" end
  function run.stop() commands.wish = "stop" end
  return commands
end

local sessions = setmetatable({}, { __mode = "k" })

-- What the prompt over a run sees, and its globals. What was made at earlier prompts over it stays, but for names that
-- the recipe has by now.
local function session_of(run, thread)
  local session = sessions[run]
  if not session then
    local visible = setmetatable({ kept = run.kept }, Visible)
    session = { visible = visible, globals = variables.over(visible, function(...) note(run, ...) end) }
    sessions[run] = session
  end
  local visible, globals = session.visible, session.globals
  visible.recipe = frames(thread)
  for name in next, globals do
    if visible:has(name) then rawset(globals, name, nil) end
  end
  if not visible:has "run" then rawset(globals, "run", run) end
  return visible, globals
end

-- Serves the prompt over the variables of `thread`; -> a wish, or the signal that ended it.
local function serve(run, thread)
  local commands <close> = commands_of(run)
  local visible, globals = session_of(run, thread)
  local options = options_of(visible.recipe)
  local greeting = ("The run waits in epoch %d, step %d. run:continue() or Ctrl-D goes on, run:stop() ends it, "
    .. "run:save() saves."):format(run.epoch, run.step)
  local signal = repl { globals = globals, greeting = greeting, is_over = function() return commands.wish ~= nil end }
  tell_of_options(run, visible.recipe, options)
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
