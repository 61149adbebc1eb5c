-- internal/parameters_of.lua: parameters_of(kept) -> the parameters of the modules among the things that a run keeps by
-- name, in the order of these names, a list of { name = "model.fc.weight", state = }.
local arguments = require "icl.internal.arguments"

return function(kept)
  local list = {}
  for _, name in ipairs(arguments.names(kept)) do
    local thing = kept[name]
    for _, entry in ipairs(thing.named_parameters and thing:named_parameters() or {}) do
      list[#list + 1] = { name = name .. "." .. entry.name, state = entry.state }
    end
  end
  return list
end
