-- run/reports.lua: the figures of epochs as records, and the best of them.
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"
local figures = require "icl.runs.figures"
local metrics = require "icl.runs.metrics"
local numbers = require "icl.internal.numbers"

local Reports = {}
Reports.__index = Reports

-- Which figure is the best, in the order in which they are looked for.
local usual = { "val.top1", "test.top1", "val.loss", "test.loss" }

local function figure(record, name)
  local set, field = figures.split(name)
  return record[set] and record[set][field]
end

-- reports.decides(wanted) -> name and mode, "min" or "max", of the figure that decides: wanted is its name or { figure
-- = name, mode = }; nil where it is nil.
local function decides(wanted)
  local name, mode = wanted, nil
  if type(wanted) == "table" then
    local given = arguments.options("icl.run: best", wanted, {}, { "figure", "mode" })
    name, mode = given.figure, given.mode and arguments.choice("icl.run: best: mode", given.mode, { "min", "max" })
  end
  if wanted ~= nil and not (type(name) == "string" and name:find "^[^.]+%..+$") then
    fail("icl.run: best is %s; it is a figure of reports, such as test.top1", arguments.described(name))
  end
  return name, mode or name and figures.mode(name)
end

-- reports.new(wanted, best, latest): wanted: as for reports.decides; best: what was reached before, and latest: the
-- last record, or nil. The field `latest` has the figures of all records of its epoch.
local function new(wanted, best, latest)
  local name, mode = decides(wanted)
  return setmetatable({ name = name, mode = mode, best = best, latest = latest }, Reports)
end

local function check_name(name, value)
  if type(name) ~= "string" then
    fail("run:report: %s has no name; figures are given as { name = number }", arguments.described(value))
  end
end

local function copy(values)
  local result = {}
  for key, value in pairs(values) do
    check_name(key, value)
    if type(value) ~= "number" then
      fail("run:report: %s is %s; figures are numbers", key, arguments.described(value))
    end
    result[key] = value
  end
  return result
end

-- The name of the figure that decides, of those in a record; nil if there is none.
local function deciding(self, record)
  if self.name then return self.name end
  for _, name in ipairs(usual) do
    if figure(record, name) then return name end
  end
end

-- Was the figure that is to decide ever there? What a run that goes on has as its best may be another one.
local function is_known(self)
  return self.best ~= nil and self.best.name == self.name
end

-- A warning, once, where a record has the set of the figure that decides, which was never there, without it.
local function miss(self, run, record)
  local set = self.name:match "^[^.]+"
  if self.missed or is_known(self) or type(record[set]) ~= "table" then return end
  self.missed = true
  local names = {}
  for key in pairs(record[set]) do names[#names + 1] = set .. "." .. key end
  table.sort(names)
  run:warn(("%s is to decide which state is the best, but the report has %s%s"):format(self.name,
    table.concat(names, ", "), arguments.suggestion(self.name, names)))
end

-- A warning, where a run ends and the figure that was to decide was never there.
function Reports:finish(run)
  if not self.name or is_known(self) or self.missed then return end
  run:warn(("%s was to decide which state is the best, and was in no report: the %s counts"):format(self.name,
    self.best and "best by " .. self.best.name or "last state"))
end

-- Notes whether a record is the best so far.
local function compare(self, run, record)
  local name = deciding(self, record)
  local value = name and figure(record, name)
  if self.name and not value then miss(self, run, record) end
  if not value or value ~= value then return end
  local best = self.best
  if not best or best.name ~= name or figures.is_better(value, best.value, self.mode or figures.mode(name)) then
    self.best, self.improved = { name = name, value = value, epoch = record.epoch }, true
  end
end

-- reports:add(run, given) -> the record of a report with these figures, as sinks are given it.
function Reports:add(run, given)
  arguments.typed("run:report", given, "table", "a table of figures")
  local record = { epoch = run.epoch, epochs = run.last_epoch, step = run.step, seconds = run:elapsed(),
                   time = os.time(), steps_per_epoch = run.steps_per_epoch, images_per_second = run.images_per_second,
                   judged_by = self.name and figures.chosen(self.name, self.mode) }
  for name, values in pairs(given) do
    check_name(name, values)
    if record[name] ~= nil then fail("run:report: %s is a name that reports have already", name) end
    if type(values) == "table" then
      record[name] = copy(values)
    elseif type(values) == "number" or type(values) == "boolean" then
      record[name] = values
    else
      fail("run:report: %s is %s; it takes tables of numbers, and numbers", name, arguments.described(values))
    end
  end
  if not record.final and run.epoch > 0 then compare(self, run, record) end
  local latest = self.latest
  local again = latest and latest.epoch == record.epoch and latest.final == record.final
  self.latest = again and metrics.joined(latest, record) or record
  return record
end

-- ---- as a line ----

local short = { top1 = "acc@1", top5 = "acc@5" }
local first = { "loss", "top1", "top5" }

-- "loss 1.2345 acc@1 0.6789 own 3.2"
local function figures_text(values)
  local texts, rest = {}, {}
  for name in pairs(values) do rest[name] = true end
  for _, name in ipairs(first) do
    if values[name] then
      texts[#texts + 1] = numbers.format("%s %.4f", short[name] or name, values[name])
      rest[name] = nil
    end
  end
  for _, name in ipairs(arguments.names(rest)) do
    if name ~= "lr" and name ~= "count" then texts[#texts + 1] = numbers.format("%s %.5g", name, values[name]) end
  end
  return table.concat(texts, " ")
end

-- "test_ema" -> "Test EMA"
local function title(name)
  return (name:gsub("_ema$", " EMA"):gsub("_", " "):gsub("^%l", string.upper))
end

-- reports.line(record, seconds) -> a record as a line for people; seconds: how long the epoch took, or nil.
local function line(record, seconds)
  local parts, sets = {}, {}
  for name, values in pairs(record) do
    if type(values) == "table" and name ~= "train" then sets[#sets + 1] = name end
  end
  table.sort(sets, function(a, b) return (a:gsub("^val", "")) < (b:gsub("^val", "")) end)
  if not record.final then parts[1] = ("Epoch %d"):format(record.epoch) end
  if record.lr then parts[#parts + 1] = numbers.format("lr %.6g", record.lr) end
  if record.train then parts[#parts + 1] = figures_text(record.train) end
  for _, name in ipairs(sets) do parts[#parts + 1] = title(name) .. " " .. figures_text(record[name]) end
  if seconds then parts[#parts + 1] = numbers.format("Elapsed %.2f", seconds) end
  return table.concat(parts, " ")
end

return { new = new, decides = decides, line = line }
