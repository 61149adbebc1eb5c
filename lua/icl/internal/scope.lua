-- internal/scope.lua: which module is being called, by the names that lead to it: "stage1.block1.conv1". Error messages
-- and profiles show the path, and random draws are keyed by it.
local core = require "icl.core"

local scope = { path = "" }
local stack, depth = {}, 0

-- Enters the module that its parent calls `name` (nil for a model, which has no parent). To be undone by
-- `local leave <close> = scope.leave`, which also works when an error passes through.
function scope.enter(name)
  depth = depth + 1
  stack[depth] = scope.path
  if not name then return end
  local path = scope.path
  scope.path = path == "" and name or path .. "." .. name
  core.layer(scope.path)
end

scope.leave = setmetatable({}, {
  __close = function()
    local path = stack[depth]
    depth = depth - 1
    if path ~= scope.path then
      scope.path = path
      core.layer(path)
    end
  end,
})

return scope
