-- internal/pad.lua: texts of one width, for columns. string.format("%-30s") counts bytes, and ends at 99.
local pad = {}

-- pad.width(text) -> the places that a text takes: its characters; what is no UTF-8 counts by its bytes.
function pad.width(text)
  return utf8.len(text) or #text
end

local function space(text, width)
  return (" "):rep(width - pad.width(text))
end

-- pad.right(text, width) -> the text with space behind it.
function pad.right(text, width)
  return text .. space(text, width)
end

-- pad.left(text, width) -> the text with space in front of it.
function pad.left(text, width)
  return space(text, width) .. text
end

return pad
