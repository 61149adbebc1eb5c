-- runs/warnings.lua: what is missing or damaged in the folders of runs, said on standard error.
local core = require "icl.core"

return function(list)
  for _, run in ipairs(list) do
    for _, problem in ipairs(run.problems) do io.stderr:write("icl: warning: ", core.printable(problem), "\n") end
  end
end
