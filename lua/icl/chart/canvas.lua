-- chart/canvas.lua: lines drawn with the characters of a terminal: braille, whose cells have 2 x 4 dots, or one
-- character a cell where there is only ASCII.
local Canvas = {}
Canvas.__index = Canvas

local BRAILLE = 0x2800

-- The bit of a dot of a cell, by row and column from 0.
local bits = { [0] = { [0] = 1, 8 }, { [0] = 2, 16 }, { [0] = 4, 32 }, { [0] = 64, 128 } }

-- What lines are made of without braille, by their numbers.
local marks = { "*", "o", "+", "x", "#", "@", "%", "=" }

-- canvas(columns, rows, braille): an empty one. Fields: width and height in dots.
local function new(columns, rows, braille)
  local across, down = braille and 2 or 1, braille and 4 or 1
  return setmetatable({ columns = columns, rows = rows, braille = braille, across = across, down = down,
                        width = columns * across, height = rows * down, cells = {}, owners = {} }, Canvas)
end

-- canvas.mark(number, braille) -> the sign of a line in a legend.
local function mark(number, braille)
  return braille and "━" or marks[(number - 1) % #marks + 1]
end

-- A dot at column x and row y, from 0 at the upper left, of the line of this number.
function Canvas:dot(x, y, number)
  if x < 0 or y < 0 or x >= self.width or y >= self.height then return end
  local cell = y // self.down * self.columns + x // self.across
  self.owners[cell] = number
  if self.braille then self.cells[cell] = (self.cells[cell] or 0) | bits[y % 4][x % 2] end
end

-- A straight line of dots.
function Canvas:line(x0, y0, x1, y1, number)
  local steps = math.max(math.abs(x1 - x0), math.abs(y1 - y0), 1)
  for i = 0, steps do
    self:dot(x0 + (x1 - x0) * i // steps, y0 + (y1 - y0) * i // steps, number)
  end
end

-- canvas:text(row, paint) -> the characters of a row, from 0; paint(text, number) gives those of a line its colour.
function Canvas:text(row, paint)
  local parts = {}
  for column = 0, self.columns - 1 do
    local cell = row * self.columns + column
    local owner = self.owners[cell]
    if owner then
      local sign = self.braille and utf8.char(BRAILLE + self.cells[cell]) or mark(owner, false)
      parts[#parts + 1] = paint(sign, owner)
    else
      parts[#parts + 1] = " "
    end
  end
  return table.concat(parts)
end

return { new = new, mark = mark }
