-- internal/states_of.lua: states_of(thing) -> the list of the states of what may have named_states(), a module or an
-- optimizer; each once, though it may have several names.
return function(thing)
  local states, seen = {}, {}
  for _, entry in ipairs(thing.named_states and thing:named_states() or {}) do
    if not seen[entry.state] then states[#states + 1] = entry.state end
    seen[entry.state] = true
  end
  return states
end
