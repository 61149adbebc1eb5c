-- runs/statistics.lua: mean, deviation and confidence interval of a few numbers.
local statistics = {}

-- The probability that |t| of Student's distribution with n degrees of freedom is at most tan(angle) * sqrt(n)
-- (Abramowitz and Stegun, 26.7.3 and 26.7.4).
local function within(angle, n)
  local cosine, sum, term = math.cos(angle), 0, 1
  if n % 2 == 0 then
    for k = 1, n // 2 do
      sum = sum + term
      term = term * (2 * k - 1) / (2 * k) * cosine ^ 2
    end
    return math.sin(angle) * sum
  end
  term = cosine
  for k = 1, n // 2 do
    sum = sum + term
    term = term * (2 * k) / (2 * k + 1) * cosine ^ 2
  end
  return 2 / math.pi * (angle + math.sin(angle) * sum)
end

-- statistics.quantile(n, share) -> the t that |t| is below with this probability, of Student's distribution with n
-- degrees of freedom.
function statistics.quantile(n, share)
  local low, high = 0, math.pi / 2
  for _ = 1, 60 do
    local middle = (low + high) / 2
    if within(middle, n) < share then low = middle else high = middle end
  end
  return math.tan(low) * math.sqrt(n)
end

local CONFIDENCE = 0.95

-- statistics.summary(list) -> { count =, mean =, deviation =, low =, high = }: the mean of a list of numbers, the
-- deviation that they are a sample of, and the ends of the 95 % interval of the mean; of one number only the mean, of
-- none nil.
function statistics.summary(list)
  if #list == 0 then return nil end
  local sum, squares = 0, 0
  for _, x in ipairs(list) do sum = sum + x end
  local result = { count = #list, mean = sum / #list }
  if #list == 1 then return result end
  for _, x in ipairs(list) do squares = squares + (x - result.mean) ^ 2 end
  result.deviation = math.sqrt(squares / (#list - 1))
  local half = statistics.quantile(#list - 1, CONFIDENCE) * result.deviation / math.sqrt(#list)
  result.low, result.high = result.mean - half, result.mean + half
  return result
end

return statistics
