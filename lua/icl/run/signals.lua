-- run/signals.lua: signals that come while a run trains. They wait for the end of a pass, where the state can be saved:
-- HUP and USR1 save; TERM saves and leaves; INT saves, and then asks at the prompt where there is one, or else leaves.
-- A second INT or TERM does not wait.
local core = require "icl.core"
local outcome = require "icl.internal.outcome"
local usage = require "icl.internal.usage"

local signals = {}

-- What opens the prompt over a run: prompt(run) -> "stop", or "TERM" where that signal ended it, or else the run goes
-- on. The program sets it where a recipe runs on a terminal.
signals.prompt = nil

local active = {}  -- the runs in whose loops the program is; the outermost first

-- Where nothing is to be saved, and no prompt to be opened, signals act at once.
local function defer()
  local first = active[1]
  local folder = first and first.folder
  core.signals_defer(first ~= nil and (folder or signals.prompt) ~= nil, folder and { "HUP", "USR1" } or nil)
end

local function remove(run)
  for i = #active, 1, -1 do
    if active[i] == run then
      table.remove(active, i)
      break
    end
  end
  defer()
end

-- signals.defer(run) -> something to close where the loop of the run that begins here ends. Loops within loops defer
-- together.
function signals.defer(run)
  active[#active + 1] = run
  defer()
  return setmetatable({}, { __close = function() remove(run) end })
end

-- Ends the program because of a signal, or with "stop" because somebody wished it.
local function leave(run, signal)
  local by = signal == "stop" and "at the prompt" or "by " .. signal
  run.saver:stop(by)
  run:close { state = "stopped", message = "stopped " .. by }
  outcome.stopped = not run.output.quiet
  core.signal_take()
  if signal == "stop" then usage.leave(0, "") end
  core.signal_raise(signal)
end

-- The prompt over a run, in which signals act at once.
local function ask(run)
  local before, prompt = active, signals.prompt
  active, signals.prompt = {}, nil
  defer()
  local wish = prompt(run)
  active, signals.prompt = before, prompt
  defer()
  run.saver:forget()
  if wish == "stop" or wish == "TERM" then leave(run, wish) end
end

-- signals.attend(): does what a signal that came asks for. Called between passes. INT and TERM count as pending until
-- the state is saved, so that a second one does not wait for that.
function signals.attend()
  local signal, run = core.signal_pending(), active[1]
  if not signal then return end
  if signal == "HUP" or signal == "USR1" then
    core.signal_take()
    run.saver:save_and_wait()
  elseif signal == "INT" and signals.prompt then
    run.saver:save_and_wait()
    core.signal_take()
    ask(run)
  else
    leave(run, signal)
  end
end

return signals
