-- sinks/text.lua: log.txt: every line that a run shows, with the time it was shown at.
local output = require "icl.sinks.output"

local Text = {}
Text.__index = Text

-- icl.sinks.text([name = "log.txt"]) -> a sink.
local function new(name)
  return setmetatable({ name = name or "log.txt" }, Text)
end

-- A last line that a killed run left without its end is ended first.
local function open(path)
  local file <close> = io.open(path, "rb")
  local is_cut = file and file:seek "end" > 0 and file:seek("end", -1) and file:read(1) ~= "\n"
  local log, reason = output.file(path, "ab")
  if log and is_cut then log:write "\n" end
  return log, reason
end

-- sink:open(run): once, before the first line.
function Text:open(run)
  if not run.folder then return end
  local path = run.folder .. "/" .. self.name
  self.output = output.new(run, path, function() return open(path) end)
end

-- sink:line(text): every line of it gets the time.
function Text:line(text)
  if not self.output then return end
  local stamp = os.date "[%Y-%m-%d %H:%M:%S] "
  if self.output:write(stamp .. text:gsub("\n", "\n" .. stamp) .. "\n") then self.output:flush() end
end

-- sink:close(record): the end of the run.
function Text:close()
  if self.output then self.output:close() end
end

return new
