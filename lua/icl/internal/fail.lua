-- internal/fail.lua: errors that point at the line of the recipe, not at the library function that noticed them.
local core = require "icl.core"

-- fail(format, ...): raises the error. The position is that of the innermost function that is not part of the library.
local function fail(format, ...)
  local message = select("#", ...) > 0 and format:format(...) or format
  error(core.where() .. message, 0)
end

return fail
