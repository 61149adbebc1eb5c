-- internal/markup.lua: texts inside HTML and SVG.
local core = require "icl.core"

local markup = {}

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

-- markup.escape(text) -> a text that stands for itself between tags and in quoted attributes. Bytes that are no UTF-8
-- and control characters become \xNN, but for the ends of lines.
function markup.escape(text)
  local lines = {}
  for line in (tostring(text) .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = core.printable(line) end
  return (table.concat(lines, "\n"):gsub("[&<>\"']", entities))
end

-- markup.fill(template, values) -> the template in which $name stands for the escaped value of that name, and $(name)
-- for the value as it is, which is markup already.
function markup.fill(template, values)
  local text = template:gsub("%$(%(?)([%a_]+)(%)?)", function(raw, name, behind)
    local value = values[name]
    if value == nil then error("markup.fill: there is no value for " .. name, 0) end
    return raw == "(" and tostring(value) or markup.escape(value) .. behind
  end)
  return text
end

return markup
