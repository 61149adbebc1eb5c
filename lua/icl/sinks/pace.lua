-- sinks/pace.lua: how fast a run goes, and how long it will take.
local core = require "icl.core"

local Pace = {}
Pace.__index = Pace

local WARM_UP = 3  -- first steps of training, which also plan and touch memory

-- pace() -> a measure that knows nothing yet. Fields: a_pass, the seconds of a pass in the loop it was told of last;
-- a_step, those of a pass of training; between, those from the end of training in an epoch to its begin in the next.
local function new()
  return setmetatable({ between = 0, is_warm = false }, Pace)
end

local function enter(self, loop)
  self.loop, self.before = loop, loop.number - 1
  self.first, self.since = self.before, loop.started
  if not loop.loader.training then return end
  if self.trained then self.is_warm, self.between = true, loop.started - self.trained end
  self.steps = loop.loader.batches
end

-- pace:turn(loop): to be called after each pass of a loop.
function Pace:turn(loop)
  local now, training = core.clock(), loop.loader.training == true
  if loop ~= self.loop then enter(self, loop) end
  if training and not self.is_warm and loop.number - self.before > WARM_UP then
    self.is_warm, self.first, self.since = true, loop.number - 1, self.trained
  end
  self.passes, self.seconds = loop.number - self.first, now - self.since
  self.a_pass = self.seconds / self.passes
  if training then self.trained, self.a_step = now, self.a_pass end
end

-- pace:is_known() -> was enough of a training seen for an estimate?
function Pace:is_known()
  return self.is_warm and self.a_step ~= nil and (self.seconds > 2 or self.passes >= 50)
end

-- pace:loop_left(loop) -> seconds until the loop ends.
function Pace:loop_left(loop)
  return self.a_pass * (loop.loader.batches - loop.number)
end

-- pace:run_left(run, loop) -> seconds until the last epoch ends; nil before the first training.
function Pace:run_left(run, loop)
  if not self.a_step then return nil end
  local epochs = run.last_epoch - run.epoch
  local pauses = loop.loader.training and epochs + 1 or epochs
  return self:loop_left(loop) + epochs * self.steps * self.a_step + pauses * self.between
end

return new
