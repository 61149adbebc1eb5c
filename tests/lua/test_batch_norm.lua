-- test_batch_norm.lua: batch norm of channels of any mean and spread, against f64, with what f32 allows: the errors of
-- the formulas of PyTorch, (x - mean) / std * weight + bias and their gradients, with f64 sums and every number rounded
-- to f32.
--
--   icl test_batch_norm.lua [--device NAME]
--
-- An error of the mean is one of deviations that cancel, some hundreds of which are summed up in f32. On other devices
-- than the CPU their squares have to fit into it as well: up to a spread of about 1e17.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local icl = require "icl"

local device = arg[1] == "--device" and arg[2]
local WIDEST = device and 1e17 or math.huge
if device then icl.configure { device = device } end

local ROWS, EPS, MOMENTUM = 768, 1e-5, 0.1
local LARGEST = 1e19  -- spread; beyond it f32 does not hold gradient / spread^2, which the gradient of x is made of
local channels = {}  -- { mean, spread }
for _, mean in ipairs { 0, 1, 1e2, 1e4, 1e6 } do
  for _, spread in ipairs { 0, 1e-2, 1, 1e2 } do channels[#channels + 1] = { mean, spread } end
end
for _, spread in ipairs { 1e12, 1e15, 1e16, 1e17, 1e18, 1e19, 1e30 } do channels[#channels + 1] = { 0, spread } end
for _, row in ipairs { { -1e30, 0 }, { 1e18, 1e17 }, { 1e30, 1e29 } } do channels[#channels + 1] = row end

local function f32(x) return (string.unpack("f", string.pack("f", x))) end
local function exact(x) return x end

-- What a channel makes of its column x, with gradient g of the result: a table of columns and numbers. Without rounding
-- this is the truth.
local function batch_norm(x, g, weight, bias, round)
  local n, sum, squares = #x, 0, 0
  for i = 1, n do sum = sum + x[i] end
  for i = 1, n do squares = squares + (x[i] - sum / n) ^ 2 end
  local mean, std = round(sum / n), round(1 / math.sqrt(squares / n + EPS))
  local y, gx, scale, products = {}, {}, 0, 0
  for i = 1, n do
    y[i] = round(round(round(x[i] - mean) * std) * weight + bias)
    scale, products = scale + g[i], products + g[i] * (x[i] - mean)
  end
  local k, average = round(products * std * std / n), round(scale / n)
  for i = 1, n do gx[i] = round(round(g[i] - average - round((x[i] - mean) * k)) * round(std * weight)) end
  return { y = y, gx = gx, weight = { round(products * std) }, bias = { round(scale) },
           running_mean = { round(MOMENTUM * mean) },
           running_var = { round((1 - MOMENTUM) + MOMENTUM * round(squares / (n - 1))) } }
end

-- The largest difference.
local function error_of(got, expected)
  local largest = 0
  for i = 1, #expected do
    local difference = math.abs(got[i] - expected[i])
    if got[i] ~= expected[i] and not (difference <= largest) then largest = difference end
  end
  return largest
end

local function size_of(column)
  local squares = 0
  for i = 1, #column do squares = squares + column[i] ^ 2 end
  return math.sqrt(squares / #column)
end

local function column_of(rows, c)
  local column = {}
  for i = 1, #rows do column[i] = rows[i][c] end
  return column
end

-- What the layer gives: as batch_norm() does, by channel.
local function run_layer(x, g, weights, biases)
  local layer = icl.nn.batch_norm(#channels)
  layer.weight:write(icl.tensor(weights))
  layer.bias:write(icl.tensor(biases))
  local y, gx, gw, gb = icl.step(function()
    local y = layer(x)
    local gradients = icl.grad((y:cast "f32" * g):sum(), { x, layer.weight, layer.bias })
    return y, gradients[1], gradients[2], gradients[3]
  end)
  y, gx, gw, gb = y:cast("f32"):totable(), gx:cast("f32"):totable(), gw:totable(), gb:totable()
  local mean, var, result = layer.running_mean:get(), layer.running_var:get(), {}
  for c = 1, #channels do
    result[c] = { y = column_of(y, c), gx = column_of(gx, c), weight = { gw[c] }, bias = { gb[c] },
                  running_mean = { mean[c] }, running_var = { var[c] } }
  end
  return result
end

-- What an error is measured by: the size of a result or, for sums of terms that cancel, of their terms.
local function sizes_of(g, truth, spread)
  local terms = size_of(g) * math.sqrt(ROWS)
  return { y = size_of(truth.y), gx = size_of(truth.gx), weight = terms, bias = terms,
           running_mean = size_of(truth.running_mean) + MOMENTUM * spread,
           running_var = size_of(truth.running_var) }
end

local function test(dtype)
  icl.random.seed(5)
  local noise = icl.random.normal({ ROWS, #channels }):totable()
  for i = 1, ROWS do
    for c, channel in ipairs(channels) do noise[i][c] = channel[1] + channel[2] * noise[i][c] end
  end
  local x = icl.tensor(noise):cast(dtype):requires_grad()
  local g = icl.random.normal { ROWS, #channels }:cast(dtype):cast "f32"
  local weights, biases = {}, {}
  for c = 1, #channels do weights[c], biases[c] = 1 + c / 64, c / 32 - 0.5 end
  local result, xs, gs = run_layer(x, g, weights, biases), x:cast("f32"):totable(), g:totable()
  for c, channel in ipairs(channels) do
    local column, gradient = column_of(xs, c), column_of(gs, c)
    local truth = batch_norm(column, gradient, weights[c], biases[c], exact)
    local plain = batch_norm(column, gradient, weights[c], biases[c], f32)
    for name, size in pairs(sizes_of(gradient, truth, channel[2])) do
      local image, difference = name == "y" or name == "gx", error_of(result[c][name], truth[name])
      local allowed = 2 * error_of(plain[name], truth[name]) + size * (dtype == "bf16" and image and 2 ^ -6 or 2 ^ -21)
      local bounded = channel[2] <= WIDEST and (name ~= "gx" or channel[2] <= LARGEST)
      if bounded and not (difference <= allowed) then
        error(("mean %g, spread %g: the error of %s is %g, more than %g"):format(channel[1], channel[2], name,
            difference,          allowed))
      end
    end
  end
end

for _, dtype in ipairs { "f32", "bf16" } do
  check(dtype, function() test(dtype) end)
end

-- The output does not change with the scale of a convolution in front, so that the gradient of its weights is next to
-- nothing: what is left of terms that cancel, here with a mean of 100 standard deviations.
check("a gradient that cancels", function()
  local CHANNELS = 8
  icl.random.seed(7)
  local images, g = icl.random.normal { 64, 8, 8, 1 } + 100, icl.random.normal { 64, 8, 8, CHANNELS }
  local conv, norm = icl.nn.conv2d(1, CHANNELS, 1, { bias = false }), icl.nn.batch_norm(CHANNELS)
  local result = icl.step(function() return icl.grad((norm(conv(images)) * g):sum(), { conv.weight })[1] end)
  local function flat(t) return t:reshape(-1):totable() end
  local x, gs, weights, got = flat(images), g:reshape(-1, CHANNELS):totable(), flat(conv.weight:read()), flat(result)
  local function product(c, round)
    local column, sum, squares = {}, 0, 0
    for i = 1, #x do column[i] = round(x[i] * weights[c]) end
    local gx = batch_norm(column, column_of(gs, c), 1, 0, round).gx
    for i = 1, #x do sum, squares = sum + gx[i] * x[i], squares + (gx[i] * x[i]) ^ 2 end
    return sum, math.sqrt(squares)
  end
  local own, plain = 0, 0
  for c = 1, CHANNELS do
    local truth, size = product(c, exact)
    own, plain = own + ((got[c] - truth) / size) ^ 2, plain + ((product(c, f32) - truth) / size) ^ 2
  end
  check.near(math.sqrt(own / plain), 0, 1)
end)

check("images without channels have sums and results without any", function()
  local x = icl.zeros { 3, 2, 2, 0 }
  local sum, sums, y = icl.step(function()
    local twice = icl.ops.add_n(x, x)
    return twice, icl.ops.bn_sums(twice), icl.ops.scale_shift(x, icl.zeros { 5, 0 })
  end)
  check.equal(table.concat(sum:shape(), " "), "3 2 2 0")
  check.equal(table.concat(sums:shape(), " "), "3 0")
  check.equal(table.concat(y:shape(), " "), "3 2 2 0")
end)

-- ---- second derivatives ----

-- What a penalty on all gradients of a layer gives its input, weight and bias.
local function of_penalty(layer, x, w, b, factor)
  return icl.step(function()
    x, w, b = x * 1, w * 1, b * 1
    local y = layer(x, w, b)
    local g = icl.grad((y ^ 3 * factor):sum(), { x, w, b })
    local penalty = (g[1] ^ 2):sum() + 0.3 * (g[2] ^ 2):sum() + 0.7 * (g[3] ^ 2):sum() + (y ^ 2 * factor):sum()
    local list = icl.grad(penalty, { x, w, b })
    for i, gradient in ipairs(list) do list[i] = gradient:cast("f64"):reshape(-1):totable() end
    return list
  end)
end

local function by_sums(x, w, b)
  return icl.ops.scale_shift(x, icl.ops.bn_coefficients(icl.ops.bn_sums(x), w, b, { eps = EPS }))
end

local function statistics_like(w)
  return icl.tensor({ 0.5, -1, 2 }, { dtype = w:dtype() }), icl.tensor({ 1, 2, 3 }, { dtype = w:dtype() })
end

local function by_statistics(x, w, b)
  local mean, variance = statistics_like(w)
  return icl.ops.scale_shift(x, icl.ops.bn_inference(w, b, mean, variance, { eps = EPS }))
end

local function by_ordinary_ops(x, w, b)
  local mean, variance = x:mean({ 1, 2, 3 }, true), x:var({ 1, 2, 3 }, true, 0)
  return (x - mean) / (variance + EPS):sqrt() * w + b
end

local function by_ordinary_statistics(x, w, b)
  local mean, variance = statistics_like(w)
  return (x - mean) / (variance + EPS):sqrt() * w + b
end

check("second derivatives are those of the formulas", function()
  icl.random.seed(4)
  local x, factor = icl.random.normal { 4, 3, 2, 3 } * 2 + 1, icl.random.normal { 4, 3, 2, 3 }
  local w, b = icl.random.normal { 3 } * 0.3 + 1, icl.random.normal { 3 }
  for dtype, most in pairs(device and { f32 = 1e-4 } or { f64 = 1e-10, f32 = 1e-4 }) do
    for _, pair in ipairs { { by_sums, by_ordinary_ops }, { by_statistics, by_ordinary_statistics } } do
      local function of(layer, kind)
        return of_penalty(layer, x:cast(kind), w:cast(kind), b:cast(kind), factor:cast(kind))
      end
      local got, expected = of(pair[1], dtype), of(pair[2], device and "f32" or "f64")
      for i, list in ipairs(expected) do
        local scale = 0
        for _, value in ipairs(list) do scale = math.max(scale, math.abs(value)) end
        for k, value in ipairs(list) do check.near(got[i][k], value, most * scale) end
      end
    end
  end
end)

check.close()
