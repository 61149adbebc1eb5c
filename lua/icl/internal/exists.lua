-- internal/exists.lua: exists(path) -> is there something of this name?
local core = require "icl.core"

return function(path)
  return core.file_kind(path) ~= nil
end
