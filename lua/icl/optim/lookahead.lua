-- optim/lookahead.lua: lookahead (Zhang et al. 2019): slow weights that follow those of another optimizer. After every
-- k steps of that one, with the slow weights s of each parameter p
--   s = s + alpha (p - s);  p = s
local core = require "icl.core"
local ops = core.ops
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local groups = require "icl.optim.groups"
local saved = require "icl.optim.saved"
local settings = require "icl.optim.settings"
local wrapped = require "icl.optim.wrapped"

local function check(what, o)
  arguments.integer(what .. ": k", o.k, 1)
  if o.alpha > 1 then fail("%s: alpha is %s; it must be at most 1", what, o.alpha) end
end

local rule = { defaults = { k = 5, alpha = 0.5 }, check = check, settled = {} }

local Lookahead = saved { takes_function = true }

-- optimizer:step(lr [, f]) -> what f() returns: as the optimizer inside.
function Lookahead:step(lr, f)
  local before, o = {}, self.options
  groups.each(self.groups, function(_, state) before[state] = state:read() end)
  local results = table.pack(self.base:step(lr, f))
  local t = self.count + 1
  self.count:write(t)
  local is_first, is_due = t:eq(1), (t - o.k * (t / o.k):floor()):eq(0)
  for _, group in ipairs(self.groups) do
    for _, parameter in ipairs(group.parameters) do
      local state = parameter.state
      if not before[state] then self.slow[state]:write(state:read()) end  -- frozen, perhaps not for good
    end
  end
  groups.each(self.groups, function(_, state)
    -- They begin as the parameters are in the first step, whatever was loaded since this was made.
    local fast, slow = state:read(), ops.where(is_first, before[state], self.slow[state])
    slow = ops.where(is_due, slow + o.alpha * (fast - slow), slow)
    self.slow[state]:write(slow)
    state:write(ops.where(is_due, slow, fast))
  end)
  return table.unpack(results, 1, results.n)
end

-- optimizer:named_states() -> list of { name =, state =, module =, key = }: those of the optimizer inside, the slow
-- weights, and lookahead.step, how many steps there were.
function Lookahead:named_states()
  local list = self.base:named_states()
  list[#list + 1] = { name = "lookahead.step", state = self.count, module = self, key = "step" }
  for _, group in ipairs(self.groups) do
    for _, parameter in ipairs(group.parameters) do
      list[#list + 1] = { name = "lookahead.slow." .. parameter.name, state = self.slow[parameter.state], module = self,
                          key = "slow" }
    end
  end
  return list
end

-- The slow weights of a group, which begin where its parameters are.
local function add_slow(self, group)
  for _, parameter in ipairs(group.parameters) do
    local state = parameter.state
    self.slow[state] = core.state(state:read(), { name = "slow." .. parameter.name })
  end
end

-- optimizer:add_group(group) -> as that of the optimizer inside.
function Lookahead:add_group(...)
  local group = wrapped.add_group(self, ...)
  add_slow(self, group)
  return group
end

Lookahead.settings, Lookahead.arrange_states = wrapped.settings, wrapped.arrange_states

-- icl.optim.lookahead(optimizer [, { k = 5, alpha = 0.5 }]) -> an optimizer that steps as the one inside,
-- optimizer.base, and sets the parameters back to their slow weights after every k steps:
--
--   local optimizer = icl.optim.lookahead(icl.optim.adamw(model, { weight_decay = 0.05 }))
--
-- Both options may be changed between steps: optimizer.options.k = 10. --lookahead makes one.
return function(base, given, ...)
  arguments.no_more("icl.optim.lookahead", "an optimizer and a table of options", ...)
  local self = wrapped.new("icl.optim.lookahead", base)
  self.options = settings.new("icl.optim.lookahead", rule, given)
  self.slow = {}
  for _, group in ipairs(self.groups) do add_slow(self, group) end
  self.count = core.state(core.full({}, 0, "f64"), { name = "lookahead.step", dtype = "f64" })
  return setmetatable(self, Lookahead)
end
