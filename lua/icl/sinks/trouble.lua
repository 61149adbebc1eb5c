-- sinks/trouble.lua: log.RANK.txt: what went wrong in one of several processes that train, beside the log of the main
-- one. Where nothing did there is no such file.
local processes = require "icl.internal.processes"
local text = require "icl.sinks.text"

local Trouble = {}
Trouble.__index = Trouble

-- sinks.trouble(folder) -> a sink of a process that is not the main one; folder: that of the run, or nil.
local function new(folder)
  local log = text(("log.%d.txt"):format(processes.rank()))
  return setmetatable({ folder = folder, log = log }, Trouble)
end

-- Writes a line into the file, which is made where it is missing.
local function write(self, line)
  if not self.folder then return end
  self.log:open { folder = self.folder, warn = function(_, why) io.stderr:write("icl: warning: ", why, "\n") end }
  self.log:line(line)
  self.log:close()
end

-- sink:line(text): only warnings are trouble.
function Trouble:line(line)
  if line:find "^Warning: " then write(self, line) end
end

-- sink:close(record): so is the end of a run that failed.
function Trouble:close(record)
  if record.state == "failed" then write(self, record.message) end
end

return new
