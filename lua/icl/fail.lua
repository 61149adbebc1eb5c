-- fail.lua: errors that point at the line of the recipe, not at the library function that noticed them.
local root = debug.getinfo(1, "S").source:match "^(.*)fail%.lua$"

-- Is this where the library's own functions come from?
local function is_library(source)
  return source:sub(1, #root) == root
end

-- fail(format, ...): raises the error. The position is that of the innermost function that is not part of the library.
local function fail(format, ...)
  local message = select("#", ...) > 0 and format:format(...) or format
  local level = 2
  local info = debug.getinfo(level, "Sl")
  while info and (info.currentline < 0 or is_library(info.source)) do
    level = level + 1
    info = debug.getinfo(level, "Sl")
  end
  if info then message = ("%s:%d: %s"):format(info.short_src, info.currentline, message) end
  error(message, 0)
end

return fail
