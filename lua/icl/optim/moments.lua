-- optim/moments.lua: the running means of the gradient and of its square that Adam and AdaBound share.
local fail = require "icl.internal.fail"

local moments = {}

function moments.check(what, o)
  for i = 1, 2 do
    if not (o.betas[i] and o.betas[i] < 1 and #o.betas == 2) then
      fail("%s: {betas} must be two numbers from 0 to less than 1, not { %s }", what, table.concat(o.betas, ", "))
    end
  end
end

-- 1 - beta1^t, 1 - beta2^t; f64, since little is left of the 1 at the start.
function moments.corrections(s)
  return 1 - s.betas[1] ^ s.t, 1 - s.betas[2] ^ s.t
end

-- Takes in a gradient; -> the means, exp_avg and exp_avg_sq.
function moments.update(g, own, s)
  local beta1, beta2 = s.betas[1], s.betas[2]
  local m = beta1 * own.exp_avg + (1 - beta1) * g
  local v = beta2 * own.exp_avg_sq + (1 - beta2) * (g * g)
  own.exp_avg:write(m)
  own.exp_avg_sq:write(v)
  return m, v
end

return moments
