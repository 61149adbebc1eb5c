-- internal/numbers.lua: rounding and counting.
local numbers = {}

-- numbers.round(x) -> the integer nearest to x; of two that are as near, the even one.
function numbers.round(x)
  local below = math.floor(x)
  local rest = x - below
  if rest > 0.5 or (rest == 0.5 and below % 2 == 1) then return below + 1 end
  return below
end

-- numbers.sequence(n) -> the list 0, 1, ..., n - 1.
function numbers.sequence(n)
  local list = {}
  for i = 1, n do list[i] = i - 1 end
  return list
end

return numbers
