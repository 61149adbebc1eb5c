-- internal/spread.lua: how images are spread over parts of a batch, and over processes.
local spread = {}

-- spread.length(count, n) -> images of each of at most n equal parts, but for a last smaller one.
function spread.length(count, n)
  return (count + n - 1) // n
end

-- spread.share(count, n, k) -> the images before those of process k, from 0, of n; how many it has. They are parts as
-- above; where these are fewer than n, shares that differ by one image at most, so that only of less than n images
-- somebody has none.
function spread.share(count, n, k)
  local length = spread.length(count, n)
  if length * (n - 1) < count then return length * k, math.min(length, count - length * k) end
  local least, more = count // n, count % n
  return least * k + math.min(k, more), least + (k < more and 1 or 0)
end

return spread
