-- attention.lua: what batched products make of attention: the time of a step, forward and backward, with them and with
-- broadcasting and summing in their place.
--
--   icl attention.lua [--batch N] [--positions N] [--width N] [--heads N]
local icl = require "icl"
local core = require "icl.core"
local opt = icl.options "Attention by batched products against broadcasting"
  : value("batch", 32, "images", { min = 1 }) : value("positions", 64, "of an image", { min = 1 })
  : value("width", 64, "numbers of a position", { min = 1 }) : value("heads", 4, "of the attention", { min = 1 })
  : value("steps", 10, "of which the fastest counts", { min = 1 })
  : include(icl.options.runtime)
  : parse(arg)

local width = opt.width // opt.heads

local function by_products(q, k, v)
  return (q:matmul(k:transpose()) / math.sqrt(width)):softmax():matmul(v)
end

local function by_broadcasting(q, k, v)
  local shares = ((q:unsqueeze(4) * k:unsqueeze(3)):sum(5) / math.sqrt(width)):softmax()
  return (shares:unsqueeze(5) * v:unsqueeze(3)):sum(4)
end

local inputs = {}
for i = 1, 3 do
  inputs[i] = icl.state(icl.random.normal { opt.batch, opt.heads, opt.positions, width }, { trainable = true })
end

local function values() return inputs[1]:read(), inputs[2]:read(), inputs[3]:read() end

-- Milliseconds of a step, behind two that plan it.
local function time_of(attention)
  local least = math.huge
  for step = -1, opt.steps do
    local start = core.clock()
    icl.step(function()
      (attention(values()) ^ 2):sum():backward()
      for _, input in ipairs(inputs) do input:write(input - 1e-6 * input.grad) end
    end)
    if step > 0 then least = math.min(least, core.clock() - start) end
  end
  return 1e3 * least
end

local difference = (by_products(values()) - by_broadcasting(values())):abs():max():item()
local products, broadcasting = time_of(by_products), time_of(by_broadcasting)
print(("products %.1f ms, broadcasting %.1f ms, %.1f times as long; results differ by %.1e"):format(products,
  broadcasting, broadcasting / products, difference))
