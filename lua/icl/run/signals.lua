-- run/signals.lua: signals that come while a run trains. They wait for the end of a pass, where the state can be saved:
-- HUP and USR1 save, if there is a folder to save into; TERM saves and leaves; INT saves, and then asks at the prompt
-- where there is one, or else leaves. A second INT or TERM does not wait.
--
-- Where several processes train, a signal to one of them is one to all: it rides in the step of training that ends next
-- as a flag, so that all see it behind the same step. There is no prompt.
local core = require "icl.core"
local outcome = require "icl.internal.outcome"
local processes = require "icl.internal.processes"
local usage = require "icl.internal.usage"

local signals = {}

-- What opens the prompt over a run: prompt(run) -> "stop", or "TERM" where that signal ended it, or else the run goes
-- on. The program sets it where a recipe runs on a terminal.
signals.prompt = nil

local STOPPED = 130  -- the exit code by which a program that waits for this one knows that all is to end: that of INT

local active = {}  -- the runs in whose loops the program is; the outermost first

-- Where nothing is to be saved, and no prompt to be opened, signals to leave act at once.
local function defer()
  local first = active[1]
  local waits = first ~= nil and (first.writes or signals.prompt ~= nil or processes.are_several())
  core.signals_defer(waits, first and { "HUP", "USR1" } or nil)
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

-- Ends the program because of a signal, or with "stop" because somebody wished it. Where one process ends, others may
-- be ended by who started them, so nobody does before the state is saved.
local function leave(run, signal)
  local by = signal == "stop" and "at the prompt" or "by " .. signal
  run.saver:stop(by)
  run:close { state = "stopped", message = "stopped " .. by }
  outcome.stopped = not run.output.quiet
  processes.barrier()
  core.signal_take()
  if signal == "stop" then usage.leave(outcome.is_awaited() and STOPPED or 0, "") end
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

-- What a signal asks for. INT and TERM count as pending until the state is saved, so that a second one does not wait
-- for that.
local function act(run, signal)
  if signal == "HUP" or signal == "USR1" then
    if core.signal_pending() == signal then core.signal_take() end
    if run.writes then
      run.saver:save_and_wait()
    else
      run:line(("%s: nothing is saved, for the run has no folder; it goes on"):format(signal))
    end
  elseif signal == "INT" and signals.prompt and not processes.are_several() then
    run.saver:save_and_wait()
    core.signal_take()
    ask(run)
  else
    leave(run, signal)
  end
end

-- ---- several processes ----

-- The bits of the flags, the most urgent first.
local bits = { { signal = "TERM", bit = 1 }, { signal = "INT", bit = 2 }, { signal = "USR1", bit = 4 },
               { signal = "HUP", bit = 8 } }

-- signals.tell(): called before the end of each step of training: tells the others of a signal that came here.
function signals.tell()
  if not processes.are_several() then return end
  local pending, flags = core.signal_pending(), 0
  for _, entry in ipairs(bits) do
    if entry.signal == pending and #active > 0 then flags = entry.bit end
  end
  core.step_flag(flags)
end

-- The signal that somebody told of in the step that ended last.
local function told()
  local flags = core.step_flags()
  for _, entry in ipairs(bits) do
    if flags & entry.bit ~= 0 then return entry.signal end
  end
end

-- signals.stopping() -> the signal to stop that came here, or nil: for loops that all leave together at last.
function signals.stopping()
  local signal = #active > 0 and core.signal_pending() or nil
  return (signal == "TERM" or signal == "INT") and signal or nil
end

-- signals.obey(signal): does what a signal asks for that all know of.
function signals.obey(signal)
  act(active[1], signal)
end

-- signals.attend(training): does what a signal that came asks for. Called between passes; `training`: behind one of
-- training.
function signals.attend(training)
  local signal
  if not processes.are_several() then
    signal = core.signal_pending()
  elseif training then
    signal = told()
  end
  if signal and active[1] then act(active[1], signal) end
end

return signals
