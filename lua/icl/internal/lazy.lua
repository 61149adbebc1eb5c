-- internal/lazy.lua: tables whose fields are modules that are loaded when they are first used, so that a program starts
-- fast.
local strict = require "icl.internal.strict"

-- lazy(module, prefix, names) -> module, in which each of `names` stands for the module prefix.NAME; `names` becomes
-- a field. Other names that are not there are errors.
local function lazy(module, prefix, names)
  local known = {}
  for _, name in ipairs(names) do known[name] = true end
  module.names = names
  return setmetatable(module, {
    __index = function(self, name)
      if not known[name] then strict.absent(self, prefix, name, names) end
      local value = require(prefix .. "." .. name)
      rawset(self, name, value)
      return value
    end,
  })
end

return lazy
