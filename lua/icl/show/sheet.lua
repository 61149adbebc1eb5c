-- show/sheet.lua: a contact sheet: pictures in rows and columns, each above lines of text.
local core = require "icl.core"
local font = require "icl.show.font"

local sheet = {}

local BACKGROUND, TITLE, TEXT = "\xfa\xfa\xfa", "\x20\x20\x20", "\x40\x40\x40"
local GAP = 12          -- pixels between cells, and around all
local BETWEEN = 4       -- between the pictures of a cell, and above its text
local TEXT_SCALE = 2
local LEAST_SIDE = 112  -- smaller pictures are enlarged to about this
local MOST_WIDTH = 1500 -- of a sheet, unless one column is wider

local function blank(pixels) return BACKGROUND:rep(pixels) end

-- A row of pixels, `used` wide, filled up to `width`.
local function filled(row, used, width) return row .. blank(width - used) end

-- The rows of a picture, u8 (height, width, 3), each pixel `scale` times as large.
local function picture_rows(picture, scale)
  local height, width = picture:size(1), picture:size(2)
  local bytes, rows, larger = picture:bytes(), {}, ("%0"):rep(scale)
  for y = 0, height - 1 do
    local row = bytes:sub(y * width * 3 + 1, (y + 1) * width * 3)
    if scale > 1 then row = row:gsub("...", larger) end
    for _ = 1, scale do rows[#rows + 1] = row end
  end
  return rows, width * scale
end

-- The text as far as there is room for it; what is left out shows.
local function fitted(text, width)
  local most = width // font.width(" ", TEXT_SCALE)
  return #text <= most and text or text:sub(1, most - 2) .. ".."
end

-- The rows of a cell, each `width` pixels wide.
local function cell_rows(cell, scale, width)
  local rows, pictures, used, tallest = {}, {}, 0, 0
  for i, picture in ipairs(cell.pictures) do
    local own, own_width = picture_rows(picture, scale)
    pictures[i] = { rows = own, width = own_width }
    used, tallest = used + own_width + (i > 1 and BETWEEN or 0), math.max(tallest, #own)
  end
  for y = 1, tallest do
    local parts = {}
    for i, picture in ipairs(pictures) do parts[i] = picture.rows[y] or blank(picture.width) end
    rows[y] = filled(table.concat(parts, blank(BETWEEN)), used, width)
  end
  for _ = 1, BETWEEN do rows[#rows + 1] = blank(width) end
  for k, line in ipairs(cell.lines) do
    local text = fitted(font.ascii(line), width)
    for _, row in ipairs(font.rows(text, TEXT_SCALE, k == 1 and TITLE or TEXT, BACKGROUND)) do
      rows[#rows + 1] = filled(row, font.width(text, TEXT_SCALE), width)
    end
  end
  return rows
end

-- How much pictures are enlarged, and how wide a cell is with its text; text makes it wider, but not for ever.
local function layout(cells)
  local side, pixels, text = 1, 1, 0
  for _, cell in ipairs(cells) do
    local width = 0
    for _, picture in ipairs(cell.pictures) do
      side, width = math.max(side, picture:size(2)), width + picture:size(2)
    end
    pixels = math.max(pixels, width)
    for _, line in ipairs(cell.lines) do text = math.max(text, font.width(font.ascii(line), TEXT_SCALE)) end
  end
  local scale = math.max(1, math.floor(LEAST_SIDE / side + 0.5))
  local most = #cells[1].pictures
  local width = pixels * scale + (most - 1) * BETWEEN
  return scale, math.max(width, math.min(text, 2 * LEAST_SIDE))
end

-- About as wide as it is tall, and no wider than most screens.
local function columns_of(count, width, height)
  local square = math.ceil(math.sqrt(count * height / width))
  return math.max(1, math.min(count, square, (MOST_WIDTH - GAP) // (width + GAP)))
end

-- Puts the rows of cells beside each other, filled up to the tallest.
local function add_line(canvas, line, width, columns)
  local tallest, edge = 0, blank(GAP)
  for _, rows in ipairs(line) do tallest = math.max(tallest, #rows) end
  for y = 1, tallest do
    local parts = { "" }
    for i = 1, columns do parts[#parts + 1] = line[i] and line[i][y] or blank(width) end
    parts[#parts + 1] = ""
    canvas[#canvas + 1] = table.concat(parts, edge)
  end
end

-- sheet.draw(cells, title) -> u8 (height, width, 3). A cell is { pictures = list of u8 (height, width, 3), lines = list
-- of texts, of which the first is darker }; all cells have as many pictures.
function sheet.draw(cells, title)
  local scale, width = layout(cells)
  local drawn = {}
  for i, cell in ipairs(cells) do drawn[i] = cell_rows(cell, scale, width) end
  local columns = columns_of(#cells, width + GAP, #drawn[1] + GAP)
  local whole, canvas = columns * (width + GAP) + GAP, {}
  local function space()
    for _ = 1, GAP do canvas[#canvas + 1] = blank(whole) end
  end
  space()
  local heading = fitted(font.ascii(title), whole - 2 * GAP)
  for _, row in ipairs(font.rows(heading, TEXT_SCALE, TITLE, BACKGROUND)) do
    canvas[#canvas + 1] = filled(blank(GAP) .. row, GAP + font.width(heading, TEXT_SCALE), whole)
  end
  for first = 1, #drawn, columns do
    space()
    add_line(canvas, table.move(drawn, first, math.min(first + columns - 1, #drawn), 1, {}), width, columns)
  end
  space()
  return core.new_tensor(table.concat(canvas), "u8", { #canvas, whole, 3 })
end

return sheet
