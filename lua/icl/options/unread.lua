-- options/unread.lua: options of a command line that a program has not read: they have no effect.
local usage = require "icl.internal.usage"

local told = setmetatable({}, { __mode = "k" })

-- unread(values) -> a text that names those that were typed and that nothing has read so far; nil where there are none,
-- where the values are not of a command line, and when it was told before.
local function unread(values)
  local origin = usage.origin(values)
  if not origin or told[values] then return nil end
  local names = origin.list:unread(values, origin.given)
  if #names == 0 then return nil end
  told[values] = true
  for i, name in ipairs(names) do names[i] = "{" .. name .. "}" end
  local are_several = #names > 1
  local text = ("%s %s no effect: the program does not read %s"):format(table.concat(names, ", "),
    are_several and "have" or "has", are_several and "them" or "it")
  return (usage.named(text, true))
end

return unread
