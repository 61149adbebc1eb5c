-- fit/progress.lua: what a run shows while it works: a bar on a terminal, one line an epoch otherwise, and an estimate
-- of the whole time when that is long.
local core = require "icl.core"
local duration = require "icl.internal.duration"
local numbers = require "icl.internal.numbers"

local Progress = {}
Progress.__index = Progress

local LONG = 120     -- seconds from which on an estimate is worth a line
local WARM_UP = 3    -- first steps, which also plan and touch memory

-- progress([quiet]) -> a display; its field `watch` is for icl.run, and `title` says what the bar is about. A quiet one
-- shows nothing.
local function new(quiet)
  local self = setmetatable({ quiet = quiet, terminal = not quiet and core.isatty(1), shown = 0, title = "Epoch" },
    Progress)
  self.watch = function(run, loop) self:show(run, loop) end
  return self
end

-- "[#####.....]" with `width` places.
local function bar(fraction, width)
  local full = math.floor(fraction * width)
  return "[" .. ("#"):rep(full) .. ("."):rep(width - full) .. "]"
end

-- Says once how long the run will take, from the first steps after the warm-up.
function Progress:estimate(run, loop)
  if self.estimated or not loop.loader.training then return end
  local now = core.clock()
  if loop.number <= WARM_UP then
    self.first, self.since = loop.number, now
  elseif now - self.since > 2 or loop.number - self.first >= 50 then
    self.estimated = true
    local total = (now - self.since) / (loop.number - self.first) * loop.loader.batches * run.last_epoch
    if total > LONG then
      local text = "This will take about %s: %d epochs of %d steps."
      self:line(text:format(duration(total), run.last_epoch, loop.loader.batches))
    end
  end
end

-- Redraws the bar, at most ten times a second.
function Progress:show(run, loop)
  self:estimate(run, loop)
  if not self.terminal then return end
  local now = core.clock()
  local done = loop.number / loop.loader.batches
  if now - self.shown < 0.1 and done < 1 then return end
  self.shown = now
  local elapsed = now - loop.started
  local rate, left = loop.images / math.max(elapsed, 1e-9), duration(elapsed * (1 - done) / done)
  local text = numbers.format(" %s %d/%d %s  %.0f images/s  %s left  loss %.4f", self.title, run.epoch, run.last_epoch,
    bar(done, 24), rate, left, run.average.loss or 0)
  io.stdout:write("\r", text:sub(1, core.terminal_width() - 1), "\27[K")
  io.stdout:flush()
end

-- Prints a line in place of the bar.
function Progress:line(text)
  if self.quiet then return end
  io.stdout:write(self.terminal and "\r\27[K" or "", text, "\n")
  io.stdout:flush()
end

return new
