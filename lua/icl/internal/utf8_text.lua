-- internal/utf8_text.lua: texts for formats that are UTF-8, such as JSON. Names of files may be any bytes.

-- utf8_text(text) -> the text, with U+FFFD in place of each byte that is no UTF-8.
return function(text)
  local parts, from = {}, 1
  while true do
    local good, bad = utf8.len(text, from)
    if good then return table.concat(parts) .. text:sub(from) end
    parts[#parts + 1] = text:sub(from, bad - 1) .. "\u{fffd}"
    from = bad + 1
  end
end
