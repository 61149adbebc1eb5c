-- internal/width.lua: how many characters a line of help may have: as many as the terminal shows, or as a page does.
local core = require "icl.core"

local width = {}

local own  -- of a page that is being written

-- width.get() -> characters of a line.
function width.get()
  return own or core.terminal_width()
end

-- width.during(characters, f) -> what f() returns, called while lines have so many characters.
function width.during(characters, f)
  own = characters
  local ok, result = pcall(f)
  own = nil
  if not ok then error(result, 0) end
  return result
end

return width
