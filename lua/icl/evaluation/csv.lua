-- evaluation/csv.lua: comma-separated values (RFC 4180).
local numbers = require "icl.internal.numbers"

local function cell_text(value)
  local text = math.type(value) == "float" and numbers.format("%.9g", value) or tostring(value)
  return text:find '[,"\r\n]' and '"' .. text:gsub('"', '""') .. '"' or text
end

-- row(cells) -> a line of values, with its end.
local function row(cells)
  local texts = {}
  for i, value in ipairs(cells) do texts[i] = cell_text(value) end
  return table.concat(texts, ",") .. "\r\n"
end

return row
