-- metrics/accumulated.lua: figures of a whole set that are no means over its batches: what they are computed from is
-- added up in a state by ops of the step, and read once behind the loop.
local arguments = require "icl.internal.arguments"
local core = require "icl.core"
local fail = require "icl.internal.fail"
local part = require "icl.internal.part"
local processes = require "icl.internal.processes"

local accumulated = {}

-- accumulated.class(name) -> a class, which needs the functions
--   init(self, options) -> the shape of its sums
--   add(self, logits, target) -> what a batch adds to them
--   read(self, sums) -> the figure, of sums in nested tables
function accumulated.class(name)
  local class = { name = name }
  class.__index = class

  -- metric:update(logits, target): takes in a batch; in a step it is part of it. Where several processes train, a batch
  -- of training is taken in as a whole.
  function class:update(logits, target, ...)
    arguments.no_more(self.name .. ": update", "logits and a target", ...)
    arguments.tensor(self.name .. ": update: logits", logits)
    local sums = self:add(logits, target):cast "f64"
    if part.is_shared() then sums = processes.reduce(sums) end
    self.sums:write(self.sums + sums)
  end

  -- metric:value() -> the figure of what was taken in so far; outside of steps.
  function class:value()
    if core.in_step() then fail("%s: value: a step is open; read it behind the loop", self.name) end
    return self:read(self.sums:get())
  end

  -- metric:merge(): takes in what this metric has taken in in the other processes.
  function class:merge()
    local own = self.sums:read():reshape(-1):totable()
    self.sums:set(core.new_tensor(processes.sum(own), "f64"):bytes())
  end

  -- metric:reset(): nothing was taken in.
  function class:reset()
    self.sums:set(0)
  end

  -- metric:clone() -> another one with the same options, which has taken in nothing.
  function class:clone()
    return class.new(self.options)
  end

  -- metric:named_states() -> list of { name =, state =, module =, key = }
  function class:named_states()
    return { { name = "sums", state = self.sums, module = self, key = "sums" } }
  end

  function class.new(options)
    if core.in_step() then fail("%s: a step is open; make it before the loop", name) end
    local self = setmetatable({ options = options }, class)
    self.sums = core.state(core.full(self:init(options), 0, "f64"), { name = name, dtype = "f64" })
    return self
  end

  return class
end

return accumulated
