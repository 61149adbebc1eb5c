-- repl/complete.lua: what Tab adds to a line: names of globals, fields of tables, methods of tensors, states and
-- modules, and the attributes of an op inside its braces.
local core = require "icl.core"
local tracked = require "icl.internal.tracked"
local variables = require "icl.repl.globals"

local complete = {}

local keywords = {
  "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not",
  "or", "repeat", "return", "then", "true", "until", "while",
}

local INHERITANCE = 16  -- steps through __index at most

-- Calls add(name, value) for every named field of a value: its own, those it inherits, and those that are only loaded
-- when they are used, for which value is nil.
local function each_field(value, add)
  for _ = 1, INHERITANCE do
    if type(value) == "table" then
      for name, field in next, tracked.plain(value) do add(name, field) end
      local lazy = rawget(value, "names")
      for _, name in ipairs(type(lazy) == "table" and lazy or {}) do add(name, nil) end
    end
    local meta = debug.getmetatable(value)
    local index = type(meta) == "table" and rawget(meta, "__index")
    if type(value) == "userdata" then
      for _, methods in ipairs { core.tensor_methods, meta and meta.methods } do
        for name, field in next, methods do add(name, field) end
      end
      for _, name in ipairs(meta and meta.fields or {}) do add(name, nil) end
    end
    if type(index) == "function" then index = rawget(meta, "class") end
    if type(index) ~= "table" then return end
    value = index
  end
end

local function callable(value)
  if value == nil or type(value) == "function" then return true end
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__call") ~= nil
end

-- value[name], whatever stands behind it; nil where that fails.
local function field(value, name)
  local ok, result = pcall(function() return value[name] end)
  if ok then return result end
  return nil
end

-- The value of "a.b.c" among the globals.
local function resolve(path, globals)
  local value = globals
  for name in path:gmatch "[^%.:]+" do
    value = field(value, name)
    if value == nil then return nil end
  end
  return value
end

-- The op whose braces are open at the end of a line, "x:conv2d(w, { stride = 2, pa", or nil.
local function open_op(line)
  local call = line:match "([%w_]+)%s*%b()%s*{[^{}]*$" or line:match "([%w_]+)%s*%(?[^(){}]*{[^{}]*$"
  return call and core.describe_op(call)
end

-- A set that collects names with a prefix. Names with an underscore are for those who ask for them.
local function collector(prefix)
  local names, seen = {}, {}
  return names, function(name)
    if type(name) ~= "string" or seen[name] or not name:find "^[%a_][%w_]*$" then return end
    if name:sub(1, #prefix) ~= prefix or (prefix == "" and name:sub(1, 1) == "_") then return end
    seen[name] = true
    names[#names + 1] = name
  end
end

-- complete.candidates(line, globals) -> sorted names that the end of the line may become, the part that is there.
function complete.candidates(line, globals)
  local path, separator, prefix = line:match "([%a_][%w_%.:]*)([%.:])([%w_]*)$"
  if not path then prefix = line:match "[%a_][%w_]*$" or "" end
  local names, add = collector(prefix)
  if path then
    local value = resolve(path, globals)
    if value ~= nil then
      each_field(value, function(name, member)
        if separator == "." or callable(member) then add(name) end
      end)
    end
  else
    local op = open_op(line)
    if op then
      for _, attribute in ipairs(op.attributes) do add(attribute.name) end
    elseif prefix ~= "" then
      for _, word in ipairs(keywords) do add(word) end
      for _, name in ipairs(variables.names(globals)) do add(name) end
    end
  end
  table.sort(names)
  return names, prefix
end

-- The longest beginning that all names share.
local function common_beginning(names)
  local first, last = names[1], names[#names]
  local n = 0
  while n < #first and first:byte(n + 1) == last:byte(n + 1) do n = n + 1 end
  return first:sub(1, n)
end

-- complete.line(line, globals) -> what to insert behind the line (it ends at the cursor), and the names to choose from
-- where nothing can be inserted.
function complete.line(line, globals)
  if not line:find "%S" then return "  " end
  local names, prefix = complete.candidates(line, globals)
  if #names == 0 then return "" end
  local insert = common_beginning(names):sub(#prefix + 1)
  if insert == "" and #names > 1 then return "", names end
  return insert
end

return complete
