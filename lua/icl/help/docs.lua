-- help/docs.lua: the comments of Lua sources: what a file says at its top, and the blocks above functions.
local core = require "icl.core"

local docs = {}

-- The text of a Lua source: one of the library's, or a file. nil if there is none.
local function read(file)
  local text = core.source(file)
  if text then return text end
  local handle = io.open(file, "r")
  if not handle then return nil end
  text = handle:read "a"
  handle:close()
  return text
end

local function is_comment(line)
  return line:find "^%s*%-%-" ~= nil and not line:find "^%s*%-%-%[=*%["
end

local function without_dashes(line)
  return (line:gsub("^%s*%-%- ?", ""))
end

-- "icl.step" of "icl.step(f, ...) -> what f returns", and "run:epochs" of "for epoch in run:epochs() do ... end": the
-- name that a comment begins with, if it is written like one.
local function title_of(comment)
  local call = comment:gsub("^for [%w_, ]+ in ", "")
  return call:match "^([%a_][%w_]*[%.:][%w_%.:]*)%s*[%(%[{\"]" or comment:match "^(icl%.[%w_%.]+):"
end

-- The name that a line of code gives to a function or field: "Conv2d:init", "step", "grad".
local function defined_name(code)
  return code:match "^%s*function%s+([%w_%.:]+)" or code:match "^%s*local%s+function%s+([%w_]+)"
    or code:match "^%s*([%a_][%w_%.]*)%s*="
end

-- The lines of a text, without their ends.
local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\r?\n" do lines[#lines + 1] = line end
  return lines
end

-- Appends the comment of lines first to last, which stands above the line after it.
local function add_block(doc, lines, first, last)
  local texts = {}
  for i = first, last do texts[#texts + 1] = without_dashes(lines[i]) end
  local text, code = table.concat(texts, "\n"), lines[last + 1] or ""
  if first == 1 then doc.header = text end
  if first > 1 or code:find "function" then
    doc.blocks[#doc.blocks + 1] = { title = title_of(text), name = defined_name(code), text = text, line = last + 1 }
  end
end

local function parse(file, text)
  local doc = { file = file, lines = lines_of(text), blocks = {} }
  local first
  for i, line in ipairs(doc.lines) do
    if is_comment(line) then
      first = first or i
    elseif first then
      add_block(doc, doc.lines, first, i - 1)
      first = nil
    end
  end
  return doc
end

local parsed = {}  -- by file, those of the library, which do not change

-- docs.of_file(file) -> { file =, lines =, header =, blocks = { { title =, name =, text =, line = }, ... } } or nil.
-- `line` is the first line behind the comment, `name` what is defined there, `title` what the comment calls it.
function docs.of_file(file)
  if parsed[file] then return parsed[file] end
  local text = read(file)
  local doc = text and parse(file, text)
  if core.source(file) then parsed[file] = doc end
  return doc
end

-- docs.of_module(name) -> the same for a module of the library: "icl.nn.conv2d".
function docs.of_module(name)
  local file = core.modules()[name]
  return file and docs.of_file(file)
end

-- docs.of_function(f) -> its file's doc, the block above it (or nil), its first line; nil if it has no source.
function docs.of_function(f)
  local info = debug.getinfo(f, "S")
  local file = info.source:match "^@(.*)" or info.source:match "^=(icl/.*)"
  local doc = file and docs.of_file(file)
  if not doc then return nil end
  for _, block in ipairs(doc.blocks) do
    if block.line == info.linedefined then return doc, block, info.linedefined end
  end
  return doc, nil, info.linedefined
end

-- docs.block_about(doc, name) -> the block about a field of a module: the one that is called so, or one that speaks of
-- it as it would be called.
function docs.block_about(doc, name)
  local plain = name:gsub("%p", "%%%0")
  for _, block in ipairs(doc.blocks) do
    local called = block.title or block.name or ""
    if called == name or called:find("[%.:]" .. plain .. "$") then return block end
  end
  for _, block in ipairs(doc.blocks) do
    if block.text:find("[%.:]" .. plain .. "%s?[%({\"]") then return block end
  end
  return nil
end

-- docs.header(doc) -> what a file says at its top, with the name of the module for that of the file.
function docs.header(doc)
  local name = doc.file:gsub("/init%.lua$", ""):gsub("%.lua$", ""):gsub("/", ".")
  return (doc.header:gsub("^[%w_/%.]+: ", name:gsub("%%", "%%%%") .. ": ", 1))
end

-- docs.defaults(doc) -> the tables of defaults that comments speak of, as they are written; nil if there are none.
function docs.defaults(doc)
  local lines, inside = {}, false
  for _, line in ipairs(doc.lines) do
    inside = inside or line:find "^local [%w_]*defaults = {" ~= nil
    if inside then lines[#lines + 1] = line end
    if line:find "}$" and (line:sub(1, 1) == "}" or line:find "^local") then inside = false end
  end
  return #lines > 0 and table.concat(lines, "\n") or nil
end

-- docs.first_sentence(text) -> one line: up to the first sentence's end.
function docs.first_sentence(text)
  local line = text:gsub("\n%s*\n.*", ""):gsub("%s+", " ")
  return line:match "^(.-[^%.]%.) %u" or line:match "^(.-[^%.])%.$" or line
end

return docs
