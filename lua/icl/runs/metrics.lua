-- runs/metrics.lua: metrics.jsonl of a run, which may be growing: reports, one a line, and how it ended.
local core = require "icl.core"
local open_file = require "icl.internal.open_file"

local Metrics = {}
Metrics.__index = Metrics

-- metrics.open(path) -> what is in the file so far: reports (one an epoch, with the figures of all that were made in
-- it), final (that of the test at the end, or nil), ending (the line that a run ends with, nil while it goes on),
-- unreadable (lines that are none of these). A last line without an end is one that is being written, or was cut. A file
-- that is not there has nothing.
local function open(path)
  return setmetatable({ path = path, offset = 0, lines = {}, reports = {}, unreadable = 0 }, Metrics)
end

local LARGEST = 1e12

-- metrics.is_count(value) -> can it be a number of epochs, steps or seconds?
local function is_count(value)
  return math.type(value) ~= nil and value >= 0 and value <= LARGEST
end

-- A line's table, in which counts that can be none are left out; nil if it is no object.
local function object_of(line)
  local ok, value = pcall(core.json_decode, line)
  if not ok or type(value) ~= "table" or value[1] ~= nil then return nil end
  for _, name in ipairs { "epoch", "epochs", "step", "seconds", "time" } do
    if not is_count(value[name]) then value[name] = nil end
  end
  return value
end

-- metrics.joined(report, later) -> a report with the figures of both; of those that both have, the later ones.
local function joined(report, later)
  local result = {}
  for name, value in pairs(report) do result[name] = value end
  for name, value in pairs(later) do
    local before = result[name]
    result[name] = type(value) == "table" and type(before) == "table" and joined(before, value) or value
  end
  return result
end

-- Was a report made at a later place of the run than another one?
local function is_behind(report, other)
  return report.epoch > other.epoch or (report.step or 0) > (other.step or math.huge)
end

-- Adds the line of a report. One of an earlier place than those before it comes from a run that was resumed there: it
-- takes their place, and that of what was reported at this place before.
local function add_report(self, report)
  local lines, count = self.lines, #self.lines
  while #lines > 0 and is_behind(lines[#lines], report) do lines[#lines] = nil end
  local goes_back = #lines < count
  while goes_back and #lines > 0 and not is_behind(report, lines[#lines]) do lines[#lines] = nil end
  lines[#lines + 1] = report
  if self.final and is_behind(report, self.final) then self.final = nil end
end

local function add_final(self, report)
  local before = self.final
  local again = before and before.epoch == report.epoch and before.step == report.step
  self.final = again and joined(before, report) or report
end

-- The reports of lines, those of an epoch as one.
local function by_epoch(lines)
  local reports = {}
  for _, line in ipairs(lines) do
    local last = reports[#reports]
    if last and last.epoch == line.epoch then
      reports[#reports] = joined(last, line)
    else
      reports[#reports + 1] = line
    end
  end
  return reports
end

local function add_line(self, line)
  local value = object_of(line)
  if value and type(value.state) == "string" then
    self.ending = value
  elseif value and value.epoch then
    self.ending = nil
    local add = value.final and add_final or add_report
    add(self, value)
  elseif line:find "%S" then
    self.unreadable = self.unreadable + 1
  end
end

-- :update() -> has something been added to the file since the last call? It is read on from there, or from its
-- beginning if it is shorter than it was.
function Metrics:update()
  local file = open_file(self.path)
  if not file then return false end
  local size = file:seek "end" or 0
  if size < self.offset then
    self.offset, self.lines, self.final, self.ending, self.unreadable = 0, {}, nil, nil, 0
  end
  file:seek("set", self.offset)
  local text = file:read "a" or ""
  file:close()
  local behind = 1
  for line, next_line in text:gmatch "([^\n]*)\n()" do
    add_line(self, line)
    behind = next_line
  end
  self.offset, self.reports = self.offset + behind - 1, by_epoch(self.lines)
  return behind > 1
end

return { open = open, is_count = is_count, joined = joined }
