-- internal/states_of.lua: states_of(thing) -> the list of the states of what may have named_states(), a module or an
-- optimizer.
return function(thing)
  local states = {}
  for i, entry in ipairs(thing.named_states and thing:named_states() or {}) do states[i] = entry.state end
  return states
end
