-- program/strict.lua: frozen globals, so that a mistyped name is an error where it is used and not a nil somewhere
-- later.
local fail = require "icl.internal.fail"
local arguments = require "icl.internal.arguments"

local strict = {}

-- The names that the function at this level of the stack can see: its locals, its upvalues and the globals.
local function visible_names(level)
  local set = {}
  for name in pairs(_G) do
    if type(name) == "string" then set[name] = true end
  end
  local info, i = debug.getinfo(level + 1, "f"), 1
  while info do
    local name = debug.getlocal(level + 1, i)
    if not name then break end
    set[name], i = true, i + 1
  end
  i = 1
  while info do
    local name = debug.getupvalue(info.func, i)
    if not name then break end
    set[name], i = true, i + 1
  end
  return arguments.names(set)
end

local function read(_, name)
  if name == "icl" then fail "there is no variable 'icl'; begin the recipe with `local icl = require \"icl\"`" end
  fail("there is no variable '%s'%s", tostring(name), arguments.suggestion(tostring(name), visible_names(2)))
end

local function write(_, name, value)
  local what = type(value) == "function" and "local function %s" or "local %s ="
  fail("global variables are frozen in recipes; write `" .. what .. "`%s", tostring(name),
    arguments.suggestion(tostring(name), visible_names(2)))
end

-- From now on reading or making a global that does not exist is an error; those that exist stay as they are.
function strict.freeze()
  setmetatable(_G, { __index = read, __newindex = write })
end

-- Ends that.
function strict.thaw()
  setmetatable(_G, nil)
end

return strict
