-- random/beta.lua: beta(uniform, a) -> a number of the distribution Beta(a, a), a > 0; uniform() gives numbers in
-- (0, 1).
--
-- It is g1 / (g1 + g2) of two numbers of the gamma distribution, of which only the ratio is computed, by its logarithm:
-- for small a both are often too small for a double.

-- Two independent normals are more than is needed: the cosine alone (Box and Muller 1958).
local function normal(uniform)
  local radius = math.sqrt(-2 * math.log(uniform()))
  return radius * math.cos(2 * math.pi * uniform())
end

-- log(g / d) of a number g of the gamma distribution of shape a >= 1, d = a - 1/3 (Marsaglia and Tsang 2000).
local function log_gamma(uniform, a)
  local d = a - 1 / 3
  local c = 1 / math.sqrt(9 * d)
  while true do
    local x = normal(uniform)
    local v = (1 + c * x) ^ 3
    if v > 0 and math.log(uniform()) < x * x / 2 + d * (1 - v + math.log(v)) then return math.log(v) end
  end
end

-- A number of shape a < 1 is one of shape a + 1 times u^(1 / a).
local function beta(uniform, a)
  local small = a < 1
  local shape = small and a + 1 or a
  local log_ratio = log_gamma(uniform, shape) - log_gamma(uniform, shape)
  if small then log_ratio = log_ratio + (math.log(uniform()) - math.log(uniform())) / a end
  return 1 / (1 + math.exp(-log_ratio))
end

return beta
