-- optim/squares.lua: squares(tensors) -> the sum of the squares of all elements of a list of tensors, one element; nil
-- for an empty list.
return function(tensors)
  local total
  for _, tensor in ipairs(tensors) do
    local squares = (tensor * tensor):sum()
    total = total and total + squares or squares
  end
  return total
end
