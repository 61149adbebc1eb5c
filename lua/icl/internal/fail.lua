-- internal/fail.lua: errors that point at the line of the recipe, not at the library function that noticed them.
local core = require "icl.core"
local numbers = require "icl.internal.numbers"
local usage = require "icl.internal.usage"

-- fail(format, ...): raises the error. The position is that of the innermost function that is not part of the library.
-- {name} in the format stands for an option of this name; where its value came from a command line, that is wrong.
local function fail(format, ...)
  local program = usage.program()
  local named, about_options = usage.named(format, program ~= nil)
  local message = select("#", ...) > 0 and numbers.format(named, ...) or named
  if program and about_options then usage.wrong(program, message) end
  error(core.where() .. message, 0)
end

return fail
