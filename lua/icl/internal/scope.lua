-- internal/scope.lua: which module is being called, by the names that lead to it: "stage1.block1.conv1". Error messages
-- and profiles show the path, and random draws are keyed by it.
local core = require "icl.core"

local scope = {}

-- A place among modules: { path =, inner = the places in it by name }. They are kept, so that a path is put together
-- once.
local function new_place(path)
  return { path = path, inner = {} }
end

local top = new_place ""

-- By coroutine, since one that yields inside a module and is dropped never leaves it: { at = its place, depth =, the
-- places before it... }.
local stacks = setmetatable({}, { __mode = "k" })

local function stack()
  local thread = coroutine.running()
  local found = stacks[thread]
  if not found then
    found = { at = top, depth = 0 }
    stacks[thread] = found
  end
  return found
end

-- scope.path() -> the path of the module that is being called, "" outside of modules.
function scope.path()
  return stack().at.path
end

-- scope.is_called() -> is a module being called?
function scope.is_called()
  return stack().depth > 0
end

local function inner_place(at, name)
  local path = at.path == "" and name or at.path .. "." .. name
  local found = new_place(path)
  at.inner[name] = found
  return found
end

-- Enters the module that its parent calls `name` (nil for a model, which has no parent). To be undone by
-- `local leave <close> = scope.leave`, which also works when an error passes through.
function scope.enter(name)
  local own = stack()
  local depth, at = own.depth + 1, own.at
  own.depth, own[depth] = depth, at
  if name then
    at = at.inner[name] or inner_place(at, name)
    own.at = at
  end
  core.enter_layer(at.path)
end

scope.leave = setmetatable({}, {
  __close = function()
    local own = stack()
    local at = own[own.depth]
    own.at, own.depth = at, own.depth - 1
    core.leave_layer(at.path)
  end,
})

return scope
