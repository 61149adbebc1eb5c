-- repl/print.lua: any value as text that fits on a screen: tables with their fields, shortened; strings quoted.
local tracked = require "icl.internal.tracked"

local print_text = {}

local WIDTH = 100    -- a table that fits into so many places stays on one line
local ENTRIES = 24   -- shown of one table
local DEPTH = 4      -- of tables in tables
local BUDGET = 300   -- entries shown in all
local STRING = 400   -- bytes shown of a string

local escapes = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\" }

local function escape(bytes)
  return escapes[bytes] or bytes:gsub(".", function(byte) return ("\\x%02x"):format(byte:byte()) end)
end

-- A text without what would steer a terminal: characters of the class `special`, of which \127 and those from U+0080 to
-- U+009F are always part, and bytes that are no UTF-8 are escaped.
local function escaped(text, special)
  local parts, from = {}, 1
  while true do
    local good, bad = utf8.len(text, from)
    local part = text:sub(from, good and -1 or bad - 1)
    parts[#parts + 1] = part:gsub(special, escape):gsub("\127", escape):gsub("\xc2[\x80-\x9f]", escape)
    if good then return table.concat(parts) end
    parts[#parts + 1] = escape(text:sub(bad, bad))
    from = bad + 1
  end
end

-- A text of several lines that is not ours, such as a message.
local function plain(text)
  return escaped(text, "[\0-\8\11-\31]")
end

-- A string in quotes as Lua would read it, on one line.
local function quoted(text)
  local kept = #text
  if kept > STRING then
    kept = STRING
    while kept > STRING - 3 and text:find("^[\x80-\xbf]", kept + 1) do kept = kept - 1 end  -- between two characters
  end
  local shown = '"' .. escaped(text:sub(1, kept), '[\0-\31"\\]') .. '"'
  return kept < #text and ("%s... %d bytes more"):format(shown, #text - kept) or shown
end

local function function_text(f)
  local info = debug.getinfo(f, "S")
  if info.what == "C" then return "function (built in)" end
  return ("function (%s:%d)"):format(plain(info.short_src), info.linedefined)
end

local function has_tostring(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__tostring") ~= nil
end

-- What __tostring makes of a value; an error in it is told in its place.
local function own_text(value)
  local ok, text = pcall(tostring, value)
  return plain(ok and text or ("<error in __tostring: %s>"):format(tostring(text)))
end

-- A tensor or state inside a table: type, dtype and sizes without the numbers.
local function brief(value)
  local meta = getmetatable(value)
  local ok, dtype, shape = pcall(function() return value:dtype(), value:shape() end)
  if not ok then return own_text(value) end
  return ("%s %s (%s)"):format(plain(meta.__name or "value"):match "[^.]*$", dtype, table.concat(shape, ", "))
end

-- Text of everything but tables without a __tostring of their own.
local function scalar(value, nested)
  local kind = type(value)
  if kind == "string" then return quoted(value) end
  if kind == "function" then return function_text(value) end
  if kind == "userdata" and nested then return brief(value) end
  return own_text(value)
end

-- Keys beyond the list part: numbers first, then strings, then the rest, each in order.
local function other_keys(t, length)
  local keys = {}
  for key in next, t do
    if not (math.type(key) == "integer" and key >= 1 and key <= length) then keys[#keys + 1] = key end
  end
  local rank = { number = 1, string = 2 }
  table.sort(keys, function(a, b)
    local ra, rb = rank[type(a)] or 3, rank[type(b)] or 3
    if ra ~= rb then return ra < rb end
    if ra == 3 then return tostring(a) < tostring(b) end
    return a < b
  end)
  return keys
end

local function is_name(key)
  return type(key) == "string" and key:find "^[%a_][%w_]*$" ~= nil
end

local table_text

local function entry_text(key, value, indent, state)
  local text = type(value) == "table" and table_text(value, indent, state) or scalar(value, true)
  if key == nil then return text end
  if is_name(key) then return key .. " = " .. text end
  return ("[%s] = %s"):format(type(key) == "table" and own_text(key) or scalar(key, true), text)
end

-- The entries of a table as texts, the list part first.
local function entries_of(t, indent, state)
  local length = rawlen(t)
  local keys, texts, left = other_keys(t, length), {}, 0
  local function add(key, index)
    if #texts == ENTRIES or state.budget == 0 then
      left = left + 1
      return
    end
    state.budget = state.budget - 1
    texts[#texts + 1] = entry_text(key, rawget(t, key or index), indent, state)
  end
  for i = 1, math.min(length, ENTRIES) do add(nil, i) end
  left = math.max(length - ENTRIES, 0)
  for _, key in ipairs(keys) do add(key) end
  if left > 0 then texts[#texts + 1] = ("... %d more"):format(left) end
  return texts
end

-- Entries one below the other; those of the list part, which have no names, several in a line.
local function filled(texts, indent)
  local lines, line = {}, nil
  for i, text in ipairs(texts) do
    local entry = i < #texts and text .. "," or text
    local joins = line and not text:find "[=\n]" and not line:find "[=\n]"
    if joins and #indent + #line + 1 + #entry <= WIDTH then
      line = line .. " " .. entry
    else
      lines[#lines + 1], line = line, entry
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n" .. indent)
end

function table_text(t, indent, state)
  t = tracked.plain(t)
  if state.open[t] then return "{ <this table again> }" end
  if has_tostring(t) then
    local name = rawget(getmetatable(t), "__name")
    return ("<%s>"):format(name and plain(tostring(name)) or own_text(t):match "^[^\n]*")
  end
  if next(t) == nil then return "{}" end
  if state.depth == DEPTH then return "{ ... }" end
  state.open[t], state.depth = true, state.depth + 1
  local inner = indent .. "  "
  local texts = entries_of(t, inner, state)
  state.open[t], state.depth = nil, state.depth - 1
  local line = "{ " .. table.concat(texts, ", ") .. " }"
  if #line + #indent <= WIDTH and not line:find "\n" then return line end
  return ("{\n%s%s\n%s}"):format(inner, filled(texts, inner), indent)
end

-- print.text(value) -> text without a line end.
function print_text.text(value)
  if type(value) ~= "table" or has_tostring(value) then return scalar(value, false) end
  return table_text(value, "", { open = {}, depth = 0, budget = BUDGET })
end

-- print.results(values) -> the text of several results, `n` of them: on one line if they are short.
function print_text.results(values)
  local texts = {}
  for i = 1, values.n do texts[i] = print_text.text(values[i]) end
  local line = table.concat(texts, "\t")
  return line:find "\n" and table.concat(texts, "\n") or line
end

-- print.failure(message, failure) -> the text of an error: the message that core.call gave, and what is in a table that
-- was raised and has no text of its own.
function print_text.failure(message, failure)
  if type(failure) ~= "table" or has_tostring(failure) then return plain(message) end
  return plain(message) .. "\n" .. print_text.text(failure)
end

return print_text
