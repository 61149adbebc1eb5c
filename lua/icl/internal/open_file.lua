-- internal/open_file.lua: open_file(path) -> as io.open(path, "rb"), but of no pipe or device, which might be waited for
-- without end: what lies in the folder of a run may come from anywhere.
local core = require "icl.core"

return function(path)
  if core.file_kind(path) == "other" then return nil, path .. ": not a regular file" end
  return io.open(path, "rb")
end
