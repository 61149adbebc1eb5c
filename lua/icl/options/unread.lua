-- options/unread.lua: options that a program has not read: they have no effect.
local usage = require "icl.internal.usage"

local unread = {}

-- unread.text(names, why) -> "{a}, {b} have no effect: " and why, in which %s stands for them; nil of no names.
function unread.text(names, why)
  if #names == 0 then return nil end
  local are_several = #names > 1
  return ("{%s} %s no effect: " .. why):format(table.concat(names, "}, {"), are_several and "have" or "has",
    are_several and "them" or "it")
end

local told = setmetatable({}, { __mode = "k" })

-- unread.typed(values) -> a text that names those that were typed and that nothing has read so far; nil where there are
-- none, where the values are not of a command line, and when it was told before.
function unread.typed(values)
  local origin = usage.origin(values)
  if not origin or told[values] then return nil end
  local text = unread.text(origin.list:unread(values, origin.given), "the program does not read %s")
  told[values] = text ~= nil
  return text and (usage.named(text, true))
end

return unread
