-- runs/metrics.lua: metrics.jsonl of a run, which may be growing: reports, one a line, and how it ended.
local core = require "icl.core"
local open_file = require "icl.internal.open_file"

local Metrics = {}
Metrics.__index = Metrics

-- metrics.open(path) -> what is in the file so far: reports (of epochs, as they were written), final (the report of the
-- test at the end, or nil), ending (the line that a run ends with, nil while it goes on), unreadable (lines that are
-- none of these). A last line without an end is one that is being written, or was cut. A file that is not there has
-- nothing.
local function open(path)
  return setmetatable({ path = path, offset = 0, reports = {}, unreadable = 0 }, Metrics)
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

-- Adds a report. One of an earlier step than those before it comes from a run that was resumed there: it takes their
-- place.
local function add_report(self, report)
  local reports = self.reports
  local step = report.step or math.huge
  while #reports > 0 and (reports[#reports].step or 0) > step do reports[#reports] = nil end
  if #reports > 0 and reports[#reports].epoch >= report.epoch then reports[#reports] = nil end
  reports[#reports + 1] = report
end

local function add_line(self, line)
  local value = object_of(line)
  if value and type(value.state) == "string" then
    self.ending = value
  elseif value and value.epoch then
    self.ending = nil
    if value.final then self.final = value else add_report(self, value) end
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
    self.offset, self.reports, self.final, self.ending, self.unreadable = 0, {}, nil, nil, 0
  end
  file:seek("set", self.offset)
  local text = file:read "a" or ""
  file:close()
  local behind = 1
  for line, next_line in text:gmatch "([^\n]*)\n()" do
    add_line(self, line)
    behind = next_line
  end
  self.offset = self.offset + behind - 1
  return behind > 1
end

return { open = open, is_count = is_count }
