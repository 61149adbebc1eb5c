-- internal/columns.lua: words in columns that fill the width of the terminal.
local pad = require "icl.internal.pad"
local width = require "icl.internal.width"

-- columns(words) -> text, indented by two, without a line end.
local function columns(words)
  local line, cell = width.get(), 0
  for _, word in ipairs(words) do cell = math.max(cell, pad.width(word) + 2) end
  local across, lines = math.max((line - 2) // math.max(cell, 1), 1), {}
  for first = 1, #words, across do
    local cells, last = {}, math.min(first + across - 1, #words)
    for i = first, last do cells[#cells + 1] = pad.right(words[i], cell) end
    lines[#lines + 1] = ("  " .. table.concat(cells)):gsub("%s+$", "")
  end
  return table.concat(lines, "\n")
end

return columns
