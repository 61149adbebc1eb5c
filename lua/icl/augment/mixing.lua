-- augment/mixing.lua: what the stages that mix the images of a batch share.
local mixing = {}

-- mixing.target { { target, weight }, ... } -> { labels =, weights = }: the mixture of targets, which may be mixtures
-- themselves; see loss.lua.
function mixing.target(parts)
  local labels, weights = {}, {}
  for _, part in ipairs(parts) do
    local target, weight = table.unpack(part)
    if type(target) == "userdata" then target = { labels = { target }, weights = { 1 } } end
    for k, vector in ipairs(target.labels) do
      labels[#labels + 1], weights[#weights + 1] = vector, target.weights[k] * weight
    end
  end
  return { labels = labels, weights = weights }
end

-- To the nearest integer, halves to the even one.
function mixing.round(x)
  local below = math.floor(x)
  local rest = x - below
  if rest > 0.5 or (rest == 0.5 and below % 2 == 1) then return below + 1 end
  return below
end

return mixing
