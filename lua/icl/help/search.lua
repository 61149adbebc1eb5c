-- help/search.lua: the places where a word stands in the names and comments of ops and library.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local docs = require "icl.help.docs"
local elsewhere = require "icl.internal.elsewhere"
local method_help = require "icl.help.methods"
local op_help = require "icl.help.ops"
local width = require "icl.internal.width"

local search = {}

local SHOWN = 24  -- results at most

-- Parts of the inside: their comments are not for users.
local inner = { commands = true, help = true, internal = true, program = true, repl = true }

-- search.is_inner(module) -> is a module of the library not for users?
function search.is_inner(module)
  return inner[module:match "^icl%.([%w_]+)"] == true
end
local is_inner = search.is_inner

-- Names with : and . alike: "loader:first" is found as loader.first, too.
local function with_points(name)
  return (name:gsub(":", "."))
end

-- How well texts fit: 1 the name is the word, 2 its last part is, 3 the first sentence speaks of it, 4 the name
-- contains it, 5 only the text does; nil not at all.
local function rank(word, name, text)
  name = name:lower()
  if with_points(name) == with_points(word) then return 1 end
  if name:match "[^%.:]*$" == word then return 2 end
  local plain = word:gsub("%p", "%%%0")
  if docs.first_sentence(text):lower():find("%f[%w]" .. plain .. "s?%f[%W]") then return 3 end
  if name:find(word, 1, true) then return 4 end
  return text:lower():find(word, 1, true) and 5 or nil
end

-- A title as it would be written in a recipe: "icl.nn.conv2d" for "nn.conv2d".
local function full_name(title)
  local module = title:match "^(%l[%w_]*)%."
  return module and core.modules()["icl." .. module] and "icl." .. title or title
end

-- What a file says at its top, without its name.
local function summary(doc)
  return (doc.header or ""):gsub("^[%w_/%.]+: ", "")
end

-- Everything that has a name and a text: calls visit(name, text); what is used most comes first.
local function each(visit)
  for _, prefix in ipairs { "t", "s" } do
    local texts = method_help.of[prefix]
    for _, name in ipairs(arguments.names(texts)) do visit(prefix .. ":" .. name, texts[name]) end
  end
  for _, name in ipairs(op_help.names()) do
    visit("icl.ops." .. name, (core.describe_op(name).doc:gsub("; [^;]*gradient[ :].*$", "")))  -- which most have
  end
  for _, module in ipairs(arguments.names(core.modules())) do
    if not is_inner(module) then
      local doc = docs.of_module(module)
      visit(module, summary(doc))
      for _, block in ipairs(doc.blocks) do
        if block.title then visit(full_name(block.title), block.text) end
      end
    end
  end
end

-- search.find(word [, but]) -> list of { name =, text = } without that one, the best first.
function search.find(word, but)
  word = word:lower()
  local found, seen = {}, {}
  each(function(name, text)
    local r = rank(word, name, text)
    if r and not seen[name] and name ~= but then
      seen[name] = true
      found[#found + 1] = { name = name, text = text, rank = r, exact = r == 1, number = #found }
    end
  end)
  table.sort(found, function(a, b)
    if a.rank ~= b.rank then return a.rank < b.rank end
    return a.number < b.number
  end)
  return found
end

-- search.methods(name) -> those results whose name ends so: of model:clone, as somebody calls a model, m:clone.
function search.methods(name)
  local found = {}
  for _, entry in ipairs(name and search.find(name) or {}) do
    if entry.rank == 2 then found[#found + 1] = entry end
  end
  return found
end

-- The entries of the page about PyTorch, each of a line or several.
local function pytorch_entries()
  local entries = {}
  for line in require "icl.help.pytorch":gmatch "[^\n]+" do
    if line:find "^  %S" then
      entries[#entries + 1] = line
    elseif line:find "^   " then
      entries[#entries] = entries[#entries] .. "\n" .. line
    end
  end
  return entries
end

local called = { tensor = "x:", module = "model:", optimizer = "optimizer:", icl = "torch." }

-- search.pytorch(word) -> the entries of the page about PyTorch in which it stands, and a line for each name of PyTorch
-- that it is and of which errors say what does the same.
function search.pytorch(word)
  word = word:lower()
  local found, plain = {}, word:gsub("%p", "%%%0")
  for _, entry in ipairs(pytorch_entries()) do
    if entry:lower():find("%f[%w_]" .. plain .. "%f[^%w_]") then found[#found + 1] = entry end
  end
  for _, kind in ipairs(arguments.names(called)) do
    for _, name in ipairs(arguments.names(elsewhere[kind])) do
      if name:lower() == word then
        found[#found + 1] = ("  %-19s %s"):format(called[kind] .. name, elsewhere[kind][name])
      end
    end
  end
  return found
end

-- A name and the first sentence about it, on one line.
local function line(name, text)
  local result, most = ("  %-24s %s"):format(name, docs.first_sentence(text)), width.get()
  return #result < most and result or result:sub(1, math.max(most - 4, 20)) .. "..."
end

-- search.lines(found) -> a line for each result, as many as fit on a screen.
function search.lines(found)
  local lines = {}
  for i = 1, math.min(#found, SHOWN) do lines[i] = line(found[i].name, found[i].text) end
  if #found > SHOWN then lines[#lines + 1] = ("  ... %d more"):format(#found - SHOWN) end
  return lines
end

-- search.modules(names) -> a line for each of these parts of the library.
function search.modules(names)
  local lines = {}
  for i, name in ipairs(names) do lines[i] = line("icl." .. name, summary(docs.of_module("icl." .. name))) end
  return lines
end

-- What to say when nothing was found.
function search.nothing(word)
  local names = {}
  each(function(name) names[#names + 1] = name:match "[^%.:]*$" end)
  return ("nothing is called '%s' or speaks of it%s"):format(word, arguments.suggestion(word, names))
end

return search
