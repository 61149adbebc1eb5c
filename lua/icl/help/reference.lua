-- help/reference.lua: everything that users may call, with its text: the parts of the library, their functions, classes
-- and methods, the methods of tensors and states, and the objects that functions return.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local docs = require "icl.help.docs"
local search = require "icl.help.search"

local reference = {}

-- The names of what a table holds itself, and of the parts that it loads when they are asked for.
local function names_of(value)
  local known = {}
  for _, name in ipairs(rawget(value, "names") or {}) do known[name] = true end
  for name, field in next, value do
    if type(name) == "string" and not name:find "^_" and (type(field) == "function" or type(field) == "table") then
      known[name] = true
    end
  end
  return arguments.names(known)
end

-- Is it a table whose fields are parts of the library, which are listed by name?
local function holds_parts(value)
  return type(value) == "table" and type(rawget(value, "names")) == "table"
end

local function add(list, group, name, value, text)
  list[#list + 1] = { group = group, name = name, value = value, text = text }
end

-- Functions and classes of a part and of the parts below it.
local function add_part(list, group, name, value, text_of)
  add(list, group, name, value, text_of(value))
  if type(value) ~= "table" then return end
  for _, field in ipairs(names_of(value)) do
    local inner = value[field]
    local path = ("%s%s%s"):format(name, rawget(value, "class_name") and ":" or ".", field)
    if type(inner) == "function" then
      add(list, group, path, inner, text_of(inner))
    elseif holds_parts(value) and type(inner) == "table" and field ~= "names" and package.loaded[path] == inner then
      add_part(list, group, path, inner, text_of)
    end
  end
end

-- The methods of tensors and states.
local function add_methods(list, group, prefix, methods, text_of)
  for _, name in ipairs(arguments.names(methods)) do
    add(list, group, prefix .. name, methods[name], text_of(methods[name]))
  end
end

-- The methods of objects that functions return, as their sources explain them: "run:log".
local function add_objects(list)
  local seen = {}
  for _, module in ipairs(arguments.names(core.modules())) do
    for _, block in ipairs(search.is_inner(module) and {} or docs.of_module(module).blocks) do
      local name = block.title
      if name and name:find "^%l[%w_]*:%l" and not seen[name] then
        seen[name] = true
        add(list, "methods of objects", name, name, block.text)
      end
    end
  end
end

-- reference.entries(text_of) -> list of { group =, name =, value =, text = text_of(value) } in the order of a page;
-- what is there under two names is there once.
function reference.entries(text_of)
  local icl, all = require "icl", {}
  for _, name in ipairs(names_of(icl)) do
    if type(icl[name]) == "function" then add(all, "icl", "icl." .. name, icl[name], text_of(icl[name])) end
  end
  add_methods(all, "icl.ops", "icl.ops.", core.ops, text_of)
  add_methods(all, "tensors", "t:", core.tensor_methods, text_of)
  add_methods(all, "states", "s:", debug.getregistry()["icl.state"].methods, text_of)
  for _, name in ipairs(icl.names) do add_part(all, "icl." .. name, "icl." .. name, icl[name], text_of) end
  add_objects(all)
  local list, seen = {}, {}
  for _, entry in ipairs(all) do
    if not seen[entry.value] then list[#list + 1] = entry end
    seen[entry.value] = true
  end
  return list
end

return reference
