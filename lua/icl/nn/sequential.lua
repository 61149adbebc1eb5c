-- nn/sequential.lua: modules called one after another.
local fail = require "icl.internal.fail"
local Sequential = require "icl.nn.module".class "sequential"

-- nn.sequential { a, b, ... }: the modules are called "0", "1", ..., as in PyTorch, or by a name of their own where
-- an entry is { "name", module }.
function Sequential:init(modules)
  for i, entry in ipairs(modules or {}) do
    if getmetatable(entry) == nil then
      local name, module = table.unpack(entry)
      self:append(module, name)
    else
      self:append(entry)
    end
    if #self._fields ~= i then fail("nn.sequential: entry %d is not a module", i) end
  end
end

-- s:append(module [, name]); returns itself.
function Sequential:append(module, name)
  self[name or tostring(#self._fields)] = module
  return self
end

function Sequential:forward(x)
  for _, child in self:children() do x = child(x) end
  return x
end

return Sequential
