-- sinks/progress.lua: what a run shows while it works: a bar on a terminal, lines elsewhere, and an estimate of the
-- whole time when that is long.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local duration = require "icl.internal.duration"
local new_pace = require "icl.sinks.pace"
local numbers = require "icl.internal.numbers"
local values = require "icl.sinks.values"

local Progress = {}
Progress.__index = Progress

local LONG = 120   -- seconds from which on an estimate is worth a line
local OFTEN = 0.1  -- seconds between two pictures of the bar
local PLACES = 24  -- of the bar

-- icl.sinks.progress { log_period = 100, quiet = false, log = } -> a sink. Without a terminal that can move its cursor
-- it shows a line every log_period steps, none for 0. A quiet one shows nothing. `log` is a sink that gets the lines
-- that are made here; with a bar, those of the steps go there alone.
local function new(given)
  local self = arguments.options("icl.sinks.progress", given, { log_period = 100, quiet = false }, { "log" })
  self.terminal = not self.quiet and core.isatty(1) and os.getenv "TERM" ~= "dumb"
  self.pace, self.shown = new_pace(), 0
  return setmetatable(self, Progress)
end

-- "[#####.....]"
local function bar(fraction)
  local full = math.floor(fraction * PLACES)
  return "[" .. ("#"):rep(full) .. ("."):rep(PLACES - full) .. "]"
end

-- The parts of the line with the bar, as far as there is room. Of those that do not fit, the one with the highest rank
-- is left out first.
local function joined(parts, room)
  local length = #parts - 1
  for _, part in ipairs(parts) do length = length + #part.text end
  while length > room and #parts > 1 do
    local worst = 1
    for i, part in ipairs(parts) do
      if part.rank > parts[worst].rank then worst = i end
    end
    length = length - #table.remove(parts, worst).text - 1
  end
  local texts = {}
  for i, part in ipairs(parts) do texts[i] = part.text end
  return table.concat(texts, " "):sub(1, math.max(room, 0))
end

local function add(parts, rank, ...)
  parts[#parts + 1] = { rank = rank, text = numbers.format(...) }
end

-- "Epoch 3/160 [####....] 120/390 loss 1.2345 1234 images/s 12 s left (run 3 h 10 min)"
local function picture(self, run, loop, room)
  local parts, batches, run_left = {}, loop.loader.batches, self.pace:run_left(run, loop)
  local title = loop.loader.training and "Epoch" or loop.loader.title or "Evaluation"
  add(parts, 0, "%s %d/%d", title, run.epoch, run.last_epoch)
  add(parts, 4, "%s", bar(loop.number / batches))
  add(parts, 1, "%d/%d", loop.number, batches)
  if run.average.loss then add(parts, 3, "loss %.4f", run.average.loss) end
  add(parts, 6, "%.0f images/s", values.images(loop) / math.max(self.pace.a_pass, 1e-9))
  add(parts, 2, "%s left", duration(self.pace:loop_left(loop)))
  if run_left and run.last_epoch > 1 then add(parts, 5, "(run %s)", duration(run_left)) end
  return joined(parts, room)
end

-- Shows a text. Where nobody takes it any more the log says so, once, and the run goes on.
local function show(self, ...)
  local ok, reason = io.stdout:write(...)
  if ok then ok, reason = io.stdout:flush() end
  if ok or self.told or not self.log then return end
  self.told = true
  self.log:line(("Warning: standard output cannot be written: %s; the run goes on, and its lines are here"):format(reason))
end

-- Redraws the bar, at most ten times a second.
local function draw(self, run, loop)
  local now = core.clock()
  if now - self.shown < OFTEN and loop.number < loop.loader.batches then return end
  self.shown = now
  show(self, "\r", picture(self, run, loop, core.terminal_width() - 1), "\27[K")
end

-- Tells a line that is made here; one that is not shown is for the log alone.
local function tell(self, text, is_shown)
  if is_shown then self:line(text) end
  if self.log then self.log:line(text) end
end

-- Says once how long the run will take, from the first steps after the warm-up.
local function estimate(self, run, loop)
  if self.estimated or not loop.loader.training or not self.pace:is_known() then return end
  self.estimated = true
  local left = self.pace:run_left(run, loop)
  if left < LONG then return end
  local text = "This will take about %s: %d epochs of %d steps."
  tell(self, text:format(duration(left), run.last_epoch - run.epoch + 1, loop.loader.batches), true)
end

-- sink:turn(run, loop): after each pass of a loop.
function Progress:turn(run, loop)
  self.pace:turn(loop)
  estimate(self, run, loop)
  if values.is_due(loop, self.log_period) then
    local text = numbers.format("%s %.0f images/s, %s left", values.line(run, loop),
      values.images(loop) / math.max(self.pace.a_pass, 1e-9), duration(self.pace:run_left(run, loop)))
    tell(self, text, not self.terminal)
  end
  if self.terminal then draw(self, run, loop) end
end

-- sink:line(text): shows a line, in place of the bar.
function Progress:line(text)
  if self.quiet then return end
  show(self, self.terminal and "\r\27[K" or "", text, "\n")
end

return new
