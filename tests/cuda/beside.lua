-- beside.lua: steps whose gradients of weights are computed on a stream beside the rest; prints what each of them makes.
-- One that fails is done again, when a larger one has taken other memory, so that with a failure the same comes out.
--
--   icl tests/cuda/beside.lua --device cuda
local icl = require "icl"
local ops = icl.ops

icl.options "Steps with work beside the rest": include(icl.options.runtime): parse(arg)
icl.configure { deterministic = true }

-- Numbers from -1 to 1.
local function numbers(...)
  local shape, count, list = { ... }, 1, {}
  for _, size in ipairs(shape) do count = count * size end
  for i = 1, count do list[i] = i * 7919 % 101 / 50 - 1 end
  return icl.tensor(list):reshape(table.unpack(shape))
end

-- What f(...) returns, at the second attempt if the first one fails; `between` is called then.
local function attempt(between, f, ...)
  local done, result = pcall(f, ...)
  if done then return result end
  between()
  return f(...)
end

local weights = {}
for i = 1, 4 do
  weights[i] = icl.state(attempt(collectgarbage, function() return numbers(3, 3, 8, 8) * 0.1 end), { trainable = true })
end
local ones, zeros = icl.tensor { 1, 1, 1, 1, 1, 1, 1, 1 }, icl.tensor { 0, 0, 0, 0, 0, 0, 0, 0 }

-- Batch norm without running statistics, which a step that fails would change.
local function normalized(x)
  return ops.scale_shift(x, ops.bn_coefficients(ops.bn_sums(x), ones, zeros, { eps = 1e-5 }))
end

local function step(images, rate)
  local x = numbers(images, 8, 8, 8)
  return icl.step(function()
    local y, read = x, {}
    for i, weight in ipairs(weights) do
      read[i] = weight:read()
      y = normalized(y:conv2d(read[i], { padding = 1 })):relu()
    end
    local loss = (y * y):mean()
    for i, gradient in ipairs(icl.grad(loss, read)) do
      if rate > 0 then weights[i]:write(read[i] - gradient * rate) end
    end
    return loss
  end)
end

for _ = 1, 4 do
  local loss = attempt(function()
    collectgarbage()
    step(32, 0)
  end, step, 2, 0.1)
  print(("%.9g"):format(loss:item()))
end
for _, weight in ipairs(weights) do
  print(("%.9g"):format(attempt(collectgarbage, function() return (weight * weight):sum():item() end)))
end
