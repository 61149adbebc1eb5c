-- show/font.lua: a small font for pictures: the characters of ASCII in 5 x 8 pixels, the last row for what
-- hangs below the line.
local font = {}

-- A character is ten hexadecimal digits: five columns from left to right, the lowest bit at the top. The first is the
-- space.
local glyphs = [[
  0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649562050 0000070000 001c224100 0041221c00
  2a1c7f1c2a 08083e0808 0050300000 0808080808 0060600000 2010080402 3e5149453e 00427f4000 4261514946 2141454b31
  1814127f10 2745454539 3c4a494930 0171090503 3649494936 064949291e 0036360000 0056360000 0814224100 1414141414
  0041221408 0201510906 324979413e 7e1111117e 7f49494936 3e41414122 7f4141221c 7f49494941 7f09090901 3e4149497a
  7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f020c027f 7f0408107f 3e4141413e 7f09090906 3e4151215e
  7f09192946 4649494931 01017f0101 3f4040403f 1f2040201f 3f4038403f 6314081463 0708700807 6151494543 007f414100
  0204081020 0041417f00 0402010204 4040404040 0001020400 2054545478 7f48444438 3844444420 384444487f 3854545418
  087e090102 18a4a4a47c 7f08040478 00447d4000 4080847d00 7f10284400 00417f4000 7c04180478 7c08040478 3844444438
  fc24242418 18242424fc 7c08040408 4854545420 043f444020 3c4040207c 1c2040201c 3c4030403c 4428102844 1ca0a0a07c
  4464544c44 0008364100 00007f0000 0041360800 1008081008
]]

local columns, code = {}, 32  -- of each character, by its byte
for digits in glyphs:gmatch "%x+" do
  local list = {}
  for column in digits:gmatch "%x%x" do list[#list + 1] = tonumber(column, 16) end
  columns[code], code = list, code + 1
end

local WIDTH, HEIGHT = 6, 9  -- of a character with the space beside and below it

-- font.ascii(text) -> the text with what is no printable ASCII escaped as in Lua: "caf\u{e9}".
function font.ascii(text)
  local valid = utf8.len(text)
  local escaped = text:gsub(valid and utf8.charpattern or ".", function(character)
    if character:match "^[ -~]$" then return nil end
    return valid and ("\\u{%x}"):format(utf8.codepoint(character)) or ("\\x%02x"):format(character:byte())
  end)
  return escaped
end

-- font.width(text, scale) -> the pixels that a line of ASCII takes; font.height(scale): those of any line.
function font.width(text, scale)
  return #text * WIDTH * scale
end

function font.height(scale)
  return HEIGHT * scale
end

-- font.rows(text, scale, color, background) -> the rows of pixels of a line of ASCII, each a string. Colours are
-- strings of red, green and blue; `scale` is how many pixels each of a character's becomes.
function font.rows(text, scale, color, background)
  local rows, on, off = {}, color:rep(scale), background:rep(scale)
  for y = 0, HEIGHT - 1 do
    local row = {}
    for i = 1, #text do
      for _, column in ipairs(columns[text:byte(i)]) do row[#row + 1] = column >> y & 1 == 1 and on or off end
      row[#row + 1] = off
    end
    local line = table.concat(row)
    for _ = 1, scale do rows[#rows + 1] = line end
  end
  return rows
end

return font
