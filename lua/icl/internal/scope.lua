-- internal/scope.lua: which module is being called, by the names that lead to it: "stage1.block1.conv1". Error messages
-- and profiles show the path, and random draws are keyed by it.
local core = require "icl.core"

local scope = {}

-- By coroutine, since one that yields inside a module and is dropped never leaves it: { path =, depth =, the paths
-- before it... }.
local stacks = setmetatable({}, { __mode = "k" })

local function stack()
  local thread = coroutine.running()
  local found = stacks[thread]
  if not found then
    found = { path = "", depth = 0 }
    stacks[thread] = found
  end
  return found
end

-- scope.path() -> the path of the module that is being called, "" outside of modules.
function scope.path()
  return stack().path
end

-- scope.is_called() -> is a module being called?
function scope.is_called()
  return stack().depth > 0
end

-- Enters the module that its parent calls `name` (nil for a model, which has no parent). To be undone by
-- `local leave <close> = scope.leave`, which also works when an error passes through.
function scope.enter(name)
  local own = stack()
  local depth = own.depth + 1
  own.depth, own[depth] = depth, own.path
  if name then own.path = own.path == "" and name or own.path .. "." .. name end
  core.enter_layer(own.path)
end

scope.leave = setmetatable({}, {
  __close = function()
    local own = stack()
    own.path, own.depth = own[own.depth], own.depth - 1
    core.leave_layer(own.path)
  end,
})

return scope
