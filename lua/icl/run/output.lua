-- run/output.lua: what a run tells, and whom: sinks (icl.sinks), things that are called when something happens.
local core = require "icl.core"
local description = require "icl.run.description"
local folder = require "icl.run.folder"
local processes = require "icl.internal.processes"
local sinks = require "icl.sinks"
local trouble = require "icl.sinks.trouble"
local usage = require "icl.internal.usage"

local Output = {}
Output.__index = Output

local function each(self, name, ...)
  for _, sink in ipairs(self.sinks) do
    local f = sink[name]
    if f then f(sink, ...) end
  end
end

-- The folder that the main process writes into, or nil, as text.
local function main_folder(self, options, before)
  local run, path = self.run, nil
  if processes.is_main() then path = folder.open(options.output, before, run.program) end
  path = processes.broadcast(path or "")
  return path ~= "" and path or nil
end

-- What the main process shows and writes.
local function main_sinks(self, settings, options)
  local list = sinks.from_options(settings or {}, { quiet = self.quiet })
  return table.move(options.sinks or {}, 1, #(options.sinks or {}), #list + 1, list)
end

-- Others write only where something goes wrong; functions of one's own are called in all.
local function other_sinks(path, options)
  local list = { trouble(path) }
  for _, sink in ipairs(options.sinks or {}) do
    if sink.everywhere then list[#list + 1] = sink end
  end
  return list
end

-- output(run, options, before) -> the output of a run, which tells nobody before it is opened; options: those of
-- icl.run; before: the checkpoint that it goes on from, or nil.
local function new(run, options, before)
  local self = setmetatable({ run = run, sinks = {} }, Output)
  run.program = description.program(options.options)
  local path = main_folder(self, options, before)
  run.writes = path ~= nil
  local settings, quiet = options.options or usage.latest(), options.quiet
  if quiet == nil then quiet = not (path or settings) end
  self.quiet = quiet
  if not processes.is_main() then
    self.to_open = other_sinks(path, options)
    return self
  end
  self.folder, run.folder = path, path
  self.goes_on = path and before and path == before.folder
  if path then
    self:begin()
    if self.goes_on then folder.describe_again(path, run.program) else folder.describe(path, run.program) end
  end
  self.to_open = main_sinks(self, settings, options)
  return self
end

-- output:open(): from now on the sinks are told. Of a run that goes on they cut what came later.
function Output:open()
  local run = self.run
  if run.writes then core.signals_survive_pipes() end  -- a reader that leaves, as head does, ends no training
  self.sinks, self.to_open = self.to_open, nil
  if self.goes_on then each(self, "cut", run.resumed_step or -1, run.epoch) end
  each(self, "open", run)
  if self.unlocked then run:warn(self.unlocked .. "; no other process must write here") end
end

-- Called where loops of the run begin: the folder is that of this process until the run ends.
function Output:begin()
  if self.folder and self.lock == nil then self.lock, self.unlocked = folder.lock(self.folder) end
end

function Output:turn(loop)
  each(self, "turn", self.run, loop)
end

function Output:report(record)
  each(self, "report", record)
end

function Output:line(text)
  each(self, "line", text)
end

-- A line about something that went wrong; it is seen where nothing else is shown, too.
function Output:warn(text)
  each(self, "line", "Warning: " .. text)
  if self.quiet and processes.is_main() then io.stderr:write("icl: warning: ", text, "\n") end
end

function Output:close(record)
  local run = self.run
  record.epoch, record.step, record.seconds, record.time = run.epoch, run.step, run:elapsed(), os.time()
  each(self, "close", record)
  if self.lock then self.lock:close() end
  self.lock = nil
end

return new
