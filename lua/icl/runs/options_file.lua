-- runs/options_file.lua: options.lua of a run as data: one call of icl.rerun, { recipe =, arguments =, options = ... }.
--
-- A folder may come from anywhere, so nothing in it is executed: of the file only a table of constants is accepted,
-- token by token, and that table alone is given to Lua, which then has nothing to call and nothing to repeat.
local open_file = require "icl.internal.open_file"

local options_file = {}

local LARGEST = 1 << 20  -- bytes; a file of ours has a few thousand

local constants = { ["true"] = true, ["false"] = true, ["nil"] = true }

-- What a token may be: the pattern that it matches at its beginning, and its kind.
local kinds = {
  { "^%s+" }, { "^%-%-[^\n]*" },
  { "^0[xX][%x%.]+[pP]?[+-]?%d*", "number" }, { "^%d[%d%.]*[eE][+-]?%d+", "number" }, { "^%d[%d%.]*", "number" },
  { "^[%a_][%w_]*", "name" }, { "^[{}%[%]=,;%-%.()]", "sign" },
}

-- The place behind the string that begins at `first` with this quote; nil if it has no end.
local function behind_string(text, first, quote)
  local at = first + 1
  while true do
    at = text:find("[\\" .. quote .. "]", at)
    if not at then return nil end
    if text:sub(at, at) == quote then return at + 1 end
    at = at + 2
  end
end

-- The token at `first`: its kind, nil for blanks and comments, and the place behind it; nil if there is none.
local function token(text, first)
  local long = text:match("^%-%-%[=*%[", first) or text:match("^%[=*%[", first)
  if long then
    local _, last = text:find("]" .. long:match "=*" .. "]", first + #long, true)
    return long:sub(1, 1) == "[" and "string" or nil, last and last + 1
  end
  local quote = text:match("^[\"']", first)
  if quote then return "string", behind_string(text, first, quote) end
  for _, entry in ipairs(kinds) do
    local _, last = text:find(entry[1], first)
    if last then return entry[2], last + 1 end
  end
end

-- The tokens of a text: list of { kind =, text =, first = }; nil and a message.
local function tokens_of(text)
  local list, at = {}, 1
  while at <= #text do
    local kind, behind = token(text, at)
    if not behind then return nil, at end
    if kind then list[#list + 1] = { kind = kind, text = text:sub(at, behind - 1), first = at } end
    at = behind
  end
  return list
end

-- The index of the token behind `require "icl".rerun`, with or without parentheses; nil if they do not begin so.
local function behind_call(tokens)
  local words = {}
  for i = 1, math.min(#tokens, 8) do
    local word = tokens[i].text
    if word == "{" then
      local call = table.concat(words):gsub("[()'\"]", "")
      return call == "requireicl.rerun" and i or nil
    end
    words[i] = word
  end
end

-- The first token from `from` on that is no part of a table of constants.
local function refused(tokens, from)
  for i = from, #tokens do
    local one, next_one = tokens[i], tokens[i + 1] or {}
    if one.kind == "name" and not constants[one.text] and next_one.text ~= "=" then return one end
    if one.kind == "sign" and one.text:find "[().]" then return one end
    if one.text == "=" and next_one.text == "=" then return one end
  end
end

-- A message about what stands at a place of the text.
local function no_constant(text, place, what)
  local _, ends = text:sub(1, place - 1):gsub("\n", "")
  return ("line %d: %s is no constant; nothing in this file is executed"):format(ends + 1, what)
end

-- options_file.parse(text) -> the table in it; nil and a message.
function options_file.parse(text)
  if #text > LARGEST then return nil, ("it has %d bytes, more than the %d that it may have"):format(#text, LARGEST) end
  local tokens, place = tokens_of(text)
  if not tokens then return nil, no_constant(text, place, text:sub(place, place)) end
  local from = behind_call(tokens)
  if not from then return nil, "it does not begin with the call of icl.rerun" end
  if tokens[#tokens].text == ")" then tokens[#tokens] = nil end
  local wrong = refused(tokens, from)
  if wrong then return nil, no_constant(text, wrong.first, wrong.text) end
  local last = tokens[#tokens]
  local table_text = text:sub(tokens[from].first, last.first + #last.text - 1)
  local chunk, message = load("return " .. table_text, "=options.lua", "t", {})
  local ok, value = pcall(chunk or error, message)
  if not ok then return nil, (tostring(value):gsub("\n.*", "")) end
  return value
end

-- Is a value one that an option may have: a constant, or a list of such?
local function is_plain(value)
  if type(value) ~= "table" then return true end
  local count = 0
  for _, item in pairs(value) do
    if type(item) == "table" then return false end
    count = count + 1
  end
  return count == #value
end

-- options_file.read(path) -> recipe, preset, result, arguments and options of a run, the last two tables; nil and a
-- message.
function options_file.read(path)
  local file, reason = open_file(path)
  if not file then return nil, reason end
  local text = file:read(LARGEST + 1) or ""
  file:close()
  local value, message = options_file.parse(text)
  if not value then return nil, ("%s: %s"):format(path, message) end
  for _, name in ipairs { "arguments", "options" } do
    if type(value[name]) ~= "table" then value[name] = {} end
  end
  for name, item in pairs(value.options) do
    if type(name) ~= "string" or not is_plain(item) then value.options[name] = nil end
  end
  for _, name in ipairs { "recipe", "preset", "result" } do
    if type(value[name]) ~= "string" then value[name] = nil end
  end
  return value
end

return options_file
