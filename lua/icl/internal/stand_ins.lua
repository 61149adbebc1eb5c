-- internal/stand_ins.lua: values that states have for a while in place of those that were trained, as in ema:apply. A
-- checkpoint that is written meanwhile holds the trained ones.
local stand_ins = {}

local active = {}  -- things with as_trained(self, f, ...) -> what f(...) returns with the trained values

-- stand_ins.of(thing) -> something to close where its values are gone again.
function stand_ins.of(thing)
  active[#active + 1] = thing
  return setmetatable({}, { __close = function()
    for i = #active, 1, -1 do
      if active[i] == thing then table.remove(active, i) end
    end
  end })
end

-- stand_ins.aside(f, ...) -> what f(...) returns; while f runs all states have the values that were trained.
function stand_ins.aside(f, ...)
  local call = f
  for _, thing in ipairs(active) do
    local inner = call
    call = function(...) return thing:as_trained(inner, ...) end
  end
  return call(...)
end

return stand_ins
