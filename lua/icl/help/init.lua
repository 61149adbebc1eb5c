-- help: what help() at the prompt says. Functions, modules and layers are explained by the comments in their
-- sources, ops by the registry, options by their lists.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local columns = require "icl.internal.columns"
local docs = require "icl.help.docs"
local method_help = require "icl.help.methods"
local op_help = require "icl.help.ops"
local width = require "icl.internal.width"

local overview = [[
At the prompt:
  help(x)          about a function, a module, a layer, an op or a tensor: help(icl.fit), help(icl.nn.conv2d)
  help "word"      what has the word in its name or description: help "pool"
  help "pytorch"   what is otherwise than in PyTorch
  Tab              completes names: icl.nn.<Tab>, x:re<Tab>
  _                the last result
  Ctrl-C           stops what runs, or clears the line
  Ctrl-D           leaves

A first try:
  x = icl.tensor { { 1, 2 }, { 3, 4 } }
  x:softmax()
  model = icl.models.resnet_preact { depth = 20, input = { 28, 28, 1 } }
  model

The library, with tensor, full, zeros, ones, arange, concat, stack, state, grad and ops:
]]

-- The name under which a loaded module returned `value`, or nil.
local function module_name(value)
  for name, loaded in pairs(package.loaded) do
    if loaded == value and name:find "^icl" then return name end
  end
  return nil
end

-- The module and the field that hold a function: "icl.random", "uniform".
local function place_of(f)
  local names = {}
  for name, module in pairs(package.loaded) do
    if type(module) == "table" and name:find "^icl" then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    for field, value in next, package.loaded[name] do
      if value == f and type(field) == "string" then return name, field end
    end
  end
  return nil
end

-- Methods that every class of a kind has; what one of them does, the file of its class says.
local of_every_class = { init = true, forward = true, apply = true, problem = true }

-- The texts that are there, with empty lines between.
local function joined(...)
  local kept = {}
  for i = 1, select("#", ...) do
    local part = select(i, ...)
    if part and part ~= "" then kept[#kept + 1] = part end
  end
  return table.concat(kept, "\n\n")
end

local function function_text(f)
  local op = op_help.name_of(f)
  if op then return op_help.text(op) end
  local method = method_help.text(f)
  if method then return method end
  local doc, block, line = docs.of_function(f)
  local module = docs.of_module(module_name(f) or "")
  if not block and module then return joined(docs.header(module), docs.defaults(module)) end
  local name, field = place_of(f)
  if not block and name then
    local about = docs.of_module(name)
    block = about and docs.block_about(about, field)
  end
  if not block and name and of_every_class[field] then
    return joined(("%s:%s, a method of"):format(name, field), docs.header(docs.of_module(name)))
  end
  if block then return joined(block.text, block.text:find "efault" and docs.defaults(doc or docs.of_module(name))) end
  if doc and doc.lines[line] then return ("%s:%d has no description:\n%s"):format(doc.file, line, doc.lines[line]) end
  if name then return ("%s.%s is built in and has no description"):format(name, field) end
  return "a function without a description"
end

-- The first sentence of a block, shortened to the width of the terminal.
local function line_about(block)
  local line, most = "  " .. docs.first_sentence(block.text), width.get()
  return #line < most and line or line:sub(1, math.max(most - 4, 20)) .. "..."
end

-- A line for each block with a title.
local function titles(doc, but)
  local lines = {}
  for _, block in ipairs(doc.blocks) do
    if block.title and block ~= but then lines[#lines + 1] = line_about(block) end
  end
  return table.concat(lines, "\n")
end

-- A line for each function of a module that another file defines, but for the parts in `names`.
local function titles_elsewhere(module, doc, names)
  local lines, is_part = {}, {}
  for _, name in ipairs(names or {}) do is_part[name] = true end
  for _, name in ipairs(arguments.names(module)) do
    local value = rawget(module, name)
    if type(value) == "function" and not is_part[name] then
      local other, block = docs.of_function(value)
      if block and other ~= doc then lines[#lines + 1] = line_about(block) end
    end
  end
  return table.concat(lines, "\n")
end

-- A list of options as they are named in Lua, with their defaults.
local function options_text(options)
  local shown, lines = require "icl.repl.print".text, {}
  for _, spec in ipairs(options.order) do
    if spec.name then
      local default = spec.default ~= nil and spec.name .. " = " .. shown(spec.default) or spec.name
      local choices = spec.choices and ": " .. table.concat(spec.choices, ", ") or ""
      lines[#lines + 1] = ("  %-36s %s%s"):format(default, spec.help, choices)
    end
  end
  return table.concat(lines, "\n")
end

local function is_options(value)
  return type(value) == "table" and type(rawget(value, "order")) == "table" and rawget(value, "specs") ~= nil
end

-- A line for each method of a class that its source explains.
local function methods_text(class)
  local lines = {}
  for _, name in ipairs(arguments.names(class)) do
    local value = rawget(class, name)
    if type(value) == "function" and name ~= "init" and name ~= "forward" then
      local _, block = docs.of_function(value)
      local is_about = block and (block.title or block.text:find(":" .. name .. "(", 1, true))
      if is_about then lines[#lines + 1] = line_about(block) end
    end
  end
  return table.concat(lines, "\n")
end

-- A class of layers or models: what its file says, its constructor, its forward, its methods.
local function class_text(class)
  local name = module_name(class)
  local doc = name and docs.of_module(name)
  local function about(method)
    local f = rawget(class, method)
    local _, block = docs.of_function(f or print)
    return block and block.text
  end
  return joined(doc and docs.header(doc) or "layer " .. class.class_name, about "init", about "forward",
    doc and docs.defaults(doc), is_options(class.options) and options_text(class.options), methods_text(class))
end

local function module_text(value, name)
  local doc = docs.of_module(name)
  if not doc then return nil end
  local block = docs.block_about(doc, name)
  local names = rawget(value, "names")
  local list = names and name .. " holds\n" .. columns(names)
  local options = is_options(rawget(value, "options")) and options_text(value.options)
  return joined(docs.header(doc), block and block.text, docs.defaults(doc), options, list, titles(doc, block),
    titles_elsewhere(value, doc, names))
end

-- The names of the methods of a tensor or state.
local function methods_of(value)
  local methods = {}
  for _, some in ipairs { core.tensor_methods, getmetatable(value).methods } do
    for name in pairs(some) do methods[name] = true end
  end
  return arguments.names(methods)
end

local function value_text(value)
  local kind = (getmetatable(value).__name or "userdata"):gsub("^icl%.", "")
  return ("a %s. Its methods, for example help(icl.ops.relu) or help \"reshape\":\n%s"):format(kind,
    columns(methods_of(value)))
end

local function table_text(t)
  if t == core.ops then
    return "icl.ops: every op as a function; most are methods of tensors too.\n" .. columns(op_help.names())
  end
  local meta = getmetatable(t)
  local class = type(meta) == "table" and (rawget(meta, "class") or type(meta.__index) == "table" and meta.__index)
  if rawget(t, "class_name") then return class_text(t) end
  if class and rawget(class, "class_name") then return class_text(class) end
  if is_options(t) then return t.title .. "\n\n" .. options_text(t) end
  local name = module_name(t)
  local about = name and module_text(t, name)
  if about then return about end
  local methods = class and methods_text(class) or ""
  if methods ~= "" then return "an object. Its methods:\n" .. methods end
  return "a table; its fields are shown when it is the only thing on a line"
end

-- What `path`, as "icl.nn.conv2d", names; nil if nothing.
local function resolve(path)
  if not path:find "^icl[%.%w_]*$" then return nil end
  local value = require "icl"
  for name in path:gmatch "%.([%w_]+)" do
    local ok, field = pcall(function() return value[name] end)
    if not ok or field == nil then return nil end
    value = field
  end
  return value
end

local texts = {}
texts["function"], texts.table, texts.userdata = function_text, table_text, value_text

local function text_of(value)
  local describe = texts[type(value)]
  if not describe then return ("a %s; help \"word\" searches"):format(type(value)) end
  return describe(value)
end

local function word_text(word)
  local search = require "icl.help.search"
  if word:lower() == "pytorch" then return (require "icl.help.pytorch") end  -- without where it was found
  local value = resolve(word)
  if value == nil and word:find "%." then value = resolve("icl." .. word) end
  if value ~= nil then return text_of(value) end
  word = word:gsub("^x:", "t:")  -- as the texts call a tensor
  local op = op_help.text(word)
  local found = search.find(word, op and "icl.ops." .. word)
  if not op and #found == 0 then found = search.methods(word:match "^[%a_][%w_]*[:%.]([%a_][%w_]*)$") end
  if not op and found[1] and found[1].exact then op = table.remove(found, 1).text end
  local there = search.pytorch(word)
  if not op and #found == 0 and #there == 0 then return search.nothing(word), true end
  return joined(op, #found > 0 and (op and "see also:\n" or "") .. table.concat(search.lines(found), "\n"),
    #there > 0 and "from PyTorch:\n" .. table.concat(there, "\n"))
end

local help = {}

-- help.text(x) -> what help(x) at the prompt prints; about a string, what a search for it finds, and true if that is
-- nothing.
function help.text(...)
  if select("#", ...) == 0 then
    return overview .. table.concat(require "icl.help.search".modules(require "icl".names), "\n")
  end
  local value = ...
  if value == nil then return "nil: nothing has this name; help \"word\" searches" end
  if type(value) == "string" then return word_text(value) end
  return text_of(value)
end

return help
