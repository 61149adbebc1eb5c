-- internal/strict.lua: tables in which a name that is not there is an error.
local arguments = require "icl.internal.arguments"
local elsewhere = require "icl.internal.elsewhere"
local fail = require "icl.internal.fail"

local strict = {}

-- strict.absent(module, called, name, more) fails: `module`, which is called so, has no field `name`. `more`: names
-- that are not among its fields, though one may use them.
function strict.absent(module, called, name, more)
  local hint = called == "icl" and elsewhere.icl[name]
  if hint then fail("icl: there is no '%s': %s", name, hint) end
  local there = arguments.names(module)
  if more then table.move(more, 1, #more, #there + 1, there) end
  fail("%s: there is no '%s'%s", called, tostring(name), arguments.suggestion(tostring(name), there))
end

-- strict.module(module, called) -> module, of which a name that is not there is an error.
function strict.module(module, called)
  return setmetatable(module, { __index = function(self, name) strict.absent(self, called, name) end })
end

return strict
