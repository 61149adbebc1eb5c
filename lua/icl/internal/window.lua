-- internal/window.lua: the windows of pools, as layers and methods of tensors are given them.
local arguments = require "icl.internal.arguments"

-- window(what, kernel [, options]) -> { kernel =, stride =, padding = }, pairs. A kernel and a table of options, or all
-- in one table. Windows lie side by side unless a stride is given.
local function window(what, kernel, options, ...)
  local taken = ("a kernel and a table: %s(3, { stride = 2, padding = 1 })"):format(what)
  if options ~= nil then arguments.typed(what, options, "table", taken) end
  arguments.no_more(what, taken, ...)
  if type(kernel) == "table" and kernel[1] == nil then
    arguments.no_more(what, "either a kernel and a table of options or all in one table", options)
    options = arguments.options(what, kernel, {}, { "kernel", "stride", "padding" })
    kernel, options.kernel = options.kernel, nil
  end
  kernel = arguments.pair(what .. ": kernel", kernel, 1)
  options = arguments.options(what, options, { stride = kernel, padding = 0 })
  return { kernel = kernel, stride = arguments.pair(what .. ": stride", options.stride, 1),
           padding = arguments.pair(what .. ": padding", options.padding, 0) }
end

return window
