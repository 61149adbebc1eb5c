-- nn/sequential.lua: modules called one after another.
local List = require "icl.nn.list"
local Sequential = require "icl.nn.module".class("sequential", List)

-- nn.sequential { a, b, ... } or nn.sequential(a, b, ...): entries, their names and what can be done with them are
-- those of nn.list. A function is an entry too.
function Sequential:forward(x)
  for _, child in self:children() do x = child(x) end
  return x
end

return Sequential
