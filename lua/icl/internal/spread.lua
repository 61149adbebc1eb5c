-- internal/spread.lua: how images are spread over parts of a batch, and over processes: as the engine spreads them over
-- threads, so that their sums are added up alike.
local spread = {}

-- spread.share(count, n, k) -> the images before those of part k of n, from 0; how many it has. Two parts differ by one
-- image at most.
function spread.share(count, n, k)
  local first = count * k // n
  return first, count * (k + 1) // n - first
end

-- spread.parts(count, n) -> how many images each of at most n parts has, a list; none has none.
function spread.parts(count, n)
  local list = {}
  n = math.min(n, count)
  for k = 0, n - 1 do list[k + 1] = select(2, spread.share(count, n, k)) end
  return list
end

-- spread.published(count, n) -> the same as torch.chunk has it: equal parts but for a last smaller one.
function spread.published(count, n)
  local length, list = -(-count // n), {}
  for first = 1, count, length do list[#list + 1] = math.min(length, count - first + 1) end
  return list
end

return spread
