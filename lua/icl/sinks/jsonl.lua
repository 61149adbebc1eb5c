-- sinks/jsonl.lua: metrics.jsonl: a JSON object a line for each report of a run, and a last one for its end.
--
-- Each line is written at once. What a killed run left of its last line is removed, and where a run is resumed, the
-- line of its end and those of reports behind the step from which on it runs again. Numbers that are not finite are
-- null.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local json = require "icl.json"
local output = require "icl.sinks.output"

local Jsonl = {}
Jsonl.__index = Jsonl

-- icl.sinks.jsonl() -> a sink.
local function new()
  return setmetatable({}, Jsonl)
end

local function decoded(line)
  local ok, record = pcall(json.decode, line)
  return ok and type(record) == "table" and record or nil
end

-- Removes every line of a file that is no object or for which keep(record) is false; writes it anew if there are such,
-- as a whole or not at all. -> the records that stay; or nil and the reason
local function filter(path, keep)
  local file <close> = io.open(path, "rb")
  if not file then return {} end
  local text, reason = file:read "a"
  if not text then return nil, reason end
  local lines, records = {}, {}
  for line in text:gmatch "([^\n]*\n)" do
    local record = decoded(line)
    if record and keep(record) then lines[#lines + 1], records[#records + 1] = line, record end
  end
  local kept = table.concat(lines)
  if kept ~= text then
    local written
    written, reason = core.file_write(path, kept)
    if not written then return nil, reason end
  end
  return records
end

local function anything() return true end

-- What a report is about: its place in the run, and the names of its sets.
local function subject(record)
  local sets = {}
  for name, value in pairs(record) do sets[name] = type(value) == "table" or nil end
  return ("%s %s %s %s"):format(record.epoch, record.step, record.final, table.concat(arguments.names(sets), " "))
end

-- Opens the file behind its last whole line, without the lines that must go.
local function open(self, path)
  local records, reason = filter(path, self.keep or anything)
  if not records then return nil, reason end
  self.keep = nil
  if self.cut_step then
    for _, record in ipairs(records) do
      if record.step == self.cut_step then self.repeated[subject(record)] = true end
    end
    self.cut_step = nil
  end
  return output.file(path, "ab")
end

-- sink:cut(step [, epoch]): on resume, before open: what was written behind this step, or later epochs, will go.
function Jsonl:cut(step, epoch)
  self.cut_step = step
  self.keep = function(record)
    return not record.state and (record.step or 0) <= step and (record.epoch or 0) <= (epoch or math.huge)
  end
end

-- sink:open(run): once, before the first report.
function Jsonl:open(run)
  if not run.folder then return end
  if run.resumed_step and not self.cut_step then self:cut(run.resumed_step, run.epoch) end
  local path = run.folder .. "/metrics.jsonl"
  -- Reports of the step that the run is resumed at: if they come again, the new line takes the place of the old one.
  self.repeated = {}
  self.output = output.new(run, path, function() return open(self, path) end)
  self.output:write ""
end

local function write(self, record)
  if self.output:write(json.encode(record) .. "\n") then self.output:flush() end
end

-- The next line is written in place of those for which goes(record) is true.
local function replace(self, goes)
  self.ended = false
  self.output:close()
  self.keep = function(record) return not goes(record) end
end

-- sink:report(record): the figures of a report.
function Jsonl:report(record)
  if not self.output then return end
  local about = subject(record)
  local again = self.repeated[about]
  self.repeated[about] = nil
  if again or self.ended then
    replace(self, function(old) return old.state ~= nil or again and subject(old) == about end)
  end
  write(self, record)
end

-- sink:close(record): the end of the run.
function Jsonl:close(record)
  if not self.output then return end
  if self.ended then replace(self, function(old) return old.state ~= nil end) end
  self.ended = true
  write(self, record)
  self.output:close()
end

return new
