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

return mixing
