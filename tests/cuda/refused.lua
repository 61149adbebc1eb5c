-- refused.lua: steps that read a tensor which lies elsewhere now and then, move running statistics and update states;
-- prints what each of them makes. One that fails is done again, so that with a failure the same comes out, or an error.
--
--   icl tests/cuda/refused.lua --device cuda
local icl = require "icl"

icl.options "Steps that may be done again": include(icl.options.runtime): parse(arg)
icl.configure { deterministic = true }

local a, b, c = icl.tensor { { 1, 2 }, { 3, 5 } }, icl.tensor { { 2, 7 }, { 1, 8 } }, icl.tensor { { 2, 8 }, { 1, 3 } }
local norm = icl.nn.batch_norm(2)
local weight = icl.state({ 0.5, -1 }, { trainable = true })
local average = icl.state { 0, 0 }

local function step(x)
  return icl.step(function()
    local w = weight:read()
    local error = norm(x) * w - x
    local loss = (error * error):mean()
    weight:write(w - icl.grad(loss, { w })[1] * 0.1)
    average:write(average:read() * 0.9 + weight:read():cumsum(1) * 0.1)
    return loss
  end)
end

for _, x in ipairs { a, a, a, b, b, a, c, c } do
  local done, loss = pcall(step, x)
  if not done then loss = step(x) end
  print(("%.9g"):format(loss:item()))
end
for _, state in ipairs { weight, average, norm.running_mean, norm.running_var } do print(state:read()) end
