-- internal/tracked.lua: tables that know which of their fields were read: the values of options, of which one that
-- nothing reads has no effect.
local tracked = {}

local known = setmetatable({}, { __mode = "k" })  -- { values =, read = set of names } by table

local Tracked = { __name = "icl.tracked" }

function Tracked:__index(name)
  local own = known[self]
  own.read[name] = true
  return own.values[name]
end

function Tracked:__newindex(name, value)
  known[self].values[name] = value
end

function Tracked:__pairs()
  local own = known[self]
  for name in next, own.values do own.read[name] = true end
  return next, own.values, nil
end

-- tracked.new(values [, other]) -> a table with these fields; what is read of it counts as read of `other`, too.
function tracked.new(values, other)
  local self = {}
  known[self] = { values = values, read = known[other] and known[other].read or {} }
  return setmetatable(self, Tracked)
end

-- tracked.plain(values) -> the same fields as a table of which nothing is noted.
function tracked.plain(values)
  return known[values] and known[values].values or values
end

-- tracked.was_read(values, name) -> was this field read? Of a plain table it counts as read.
function tracked.was_read(values, name)
  local own = known[values]
  return own == nil or own.read[name] == true
end

return tracked
