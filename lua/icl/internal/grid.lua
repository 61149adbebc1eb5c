-- internal/grid.lua: rows of texts as a table for a terminal.
local core = require "icl.core"
local pad = require "icl.internal.pad"

local function is_number(text)
  return text:find "^[%d.,+-]+%s?%%?$" ~= nil
end

-- grid(rows) -> text: rows of texts in columns, the first row being the heads; columns of numbers stand to the right.
-- Texts are shown so that a terminal does not obey them.
local function grid(rows)
  local widths, right, shown = {}, {}, {}
  for r, row in ipairs(rows) do
    shown[r] = {}
    for c, text in ipairs(row) do
      text = core.printable(text)
      shown[r][c] = text
      widths[c] = math.max(widths[c] or 0, pad.width(text))
      if r > 1 and text ~= "" then right[c] = right[c] ~= false and is_number(text) end
    end
  end
  local lines = {}
  for r, row in ipairs(shown) do
    local cells = {}
    for c, text in ipairs(row) do
      cells[c] = (right[c] and pad.left or pad.right)(text, widths[c])
    end
    lines[r] = table.concat(cells, "  "):gsub("%s+$", "")
  end
  return table.concat(lines, "\n") .. "\n"
end

return grid
