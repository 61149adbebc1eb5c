-- formula.lua: full-size networks whose weights come from an integer hash of their names, against DIR/formula/*.json.
local common = dofile((arg[0]:match "^(.*/)" or "./") .. "common.lua")
local core = require "icl.core"
local icl = require "icl"
local weights = require "icl.weights"

-- The bits that element i of a tensor is made of.
local function hash(name_hash, i)
  local u = (name_hash + i * 0x9E3779B9) & 0xffffffff
  u = (u ~ u >> 16) * 0x85ebca6b & 0xffffffff
  u = (u ~ u >> 13) * 0xc2b2ae35 & 0xffffffff
  return u ~ u >> 16
end

-- `x` rounded to f32.
local function single(x)
  return (string.unpack("<f", string.pack("<f", x)))
end

-- `count` numbers, f(r) of uniform r in [0, 1), as the bytes of f32.
local function fill(name, count, f)
  local name_hash, parts, block = core.hash32(name), {}, {}
  for i = 0, count - 1 do
    block[#block + 1] = string.pack("<f", f((hash(name_hash, i) >> 8) * 2.0 ^ -24))
    if #block == 4096 or i == count - 1 then
      parts[#parts + 1] = table.concat(block)
      block = {}
    end
  end
  return table.concat(parts)
end

local function scaled(bound)
  return function(r) return (2 * r - 1) * bound end
end

local function small(r)
  return (r - 0.5) * single(0.2)
end

local function half(r)
  return 0.5 + r
end

-- The formula for a tensor from its name and its shape in PyTorch's layout.
local function formula_of(name, shape)
  if #shape > 1 then
    local fan_in = 1
    for i = 2, #shape do fan_in = fan_in * shape[i] end
    return scaled(single(math.sqrt(3 / fan_in)))
  end
  if name:find "bias$" or name:find "running_mean$" then return small end
  return half
end

local function state_tensor(name, shape)
  if name:find "num_batches_tracked$" then return core.new_tensor(0, "i64") end
  local count = 1
  for _, size in ipairs(shape) do count = count * size end
  return core.new_tensor(fill(name, count, formula_of(name, shape)), "f32", shape)
end

local function set_weights(model)
  local list = {}
  for i, item in ipairs(weights.state_dict(model)) do
    list[i] = { name = item.name, tensor = state_tensor(item.name, item.tensor:shape()) }
  end
  weights.load_state_dict(model, list)
end

local function make_batch(case)
  local size, channels = case.dataset.image_size, case.dataset.n_channels
  local bytes = fill("input", case.batch * channels * size * size, scaled(single(math.sqrt(3))))
  local labels = {}
  for n = 1, case.batch do labels[n] = hash(core.hash32 "labels", n - 1) % case.dataset.n_classes end
  for n, label in ipairs(case.labels) do
    if labels[n] ~= label then common.fail("label %d is %d, not %d", n, labels[n], label) end
  end
  local images = core.new_tensor(bytes, "f32", { case.batch, channels, size, size })
  return common.images(images), core.new_tensor(labels, "i64")
end

local function norm(values)
  local sum = 0
  for _, value in ipairs(values) do sum = sum + value * value end
  return math.sqrt(sum)
end

local function relative(what, value, expected, tolerance)
  common.bound(what, math.abs(value - expected), tolerance * math.abs(expected))
end

-- The first ten columns and the norm of all.
local function check_logits(what, logits, expected, expected_norm, tolerance)
  local rows, worst, largest = logits:totable(), 0, 0
  for n, row in ipairs(expected) do
    for k, value in ipairs(row) do
      worst, largest = math.max(worst, math.abs(rows[n][k] - value)), math.max(largest, math.abs(value))
    end
  end
  common.bound(what, worst, tolerance * largest)
  relative("norm of " .. what, norm(common.values(logits)), expected_norm, tolerance)
end

-- Deviations of a gradient from what is expected, of its norm and of three elements, are relative to its norm, or to a
-- thousandth of that of all gradients. Three times PyTorch's own in f32 is allowed; the device "ref" computes in f64,
-- as the references did.
local function check_gradient(name, values, expected, case)
  local norm_expected, elements, torch_error = expected[2], expected[3], expected[4]
  local scale = math.max(norm_expected, 1e-3 * case.grad_norm_total)
  local allowed = scale * (common.device == "ref" and 1e-5 or math.max(3 * torch_error, 1e-5))
  common.bound("norm of the gradient of " .. name, math.abs(norm(values) - norm_expected), allowed)
  for i, at in ipairs { 1, #values // 2 + 1, #values } do
    common.bound(("element %d of the gradient of %s"):format(at, name), math.abs(values[at] - elements[i]), allowed)
  end
end

-- Checks each gradient; they are read one at a time, because large ones are long lists.
local function check_gradients(gradients, case)
  local total, count = 0, 0
  for name, expected in pairs(case.grads) do
    if not gradients[name] then common.fail("no gradient for %s", name) end
    local values = common.values(gradients[name])
    check_gradient(name, values, expected, case)
    total, count = total + norm(values) ^ 2, count + 1
  end
  for _ in pairs(gradients) do count = count - 1 end
  if count ~= 0 then common.fail("the names of the parameters differ") end
  relative("norm of the whole gradient", math.sqrt(total), case.grad_norm_total,
    math.max(3 * case.torch_f32_rel.grad_max, 1e-5))
end

local function check(case)
  local model, reason = common.model(case)
  if not model then return reason end
  common.check_count(model, case.n_params)
  set_weights(model)
  local images, labels = make_batch(case)
  model:eval()
  local logits = icl.step(function() return model(images) end)
  check_logits("logits in evaluation", logits, case.logits_eval, case.logits_eval_norm, 1e-4)
  local loss, gradients
  logits, loss, gradients = common.train(model, images, labels)
  local tolerance = math.max(10 * case.torch_f32_rel.logits_train, 1e-5)
  check_logits("logits in training", logits, case.logits_train, case.logits_train_norm, tolerance)
  common.bound("loss", math.abs(loss:item() - case.loss_train), math.max(10 * case.torch_f32_rel.loss_abs, 1e-5))
  check_gradients(gradients, case)
  for _, entry in ipairs(model:named_states()) do
    local expected = case.after_norms[entry[1]]
    if expected then relative("norm of " .. entry[1], norm(common.values(entry[2]:read())), expected, tolerance) end
  end
end

-- The hash and the arithmetic themselves.
local function check_vectors(vectors)
  local formulas = { small = small, half = half, input = scaled(single(math.sqrt(3))) }
  for name, value in pairs(vectors.fnv1a32) do
    if core.hash32(name) ~= value then common.fail("hash of '%s'", name) end
  end
  for name, list in pairs(vectors.u32) do
    for i, value in ipairs(list) do
      if hash(core.hash32(name), i - 1) ~= value then common.fail("integer %d of %s", i, name) end
    end
  end
  for name, item in pairs(vectors.float_bits) do
    local formula = formulas[item.kind] or scaled(single(math.sqrt(3 / item.fan_in)))
    local bytes = fill(name, #item.hex, formula)
    for i, hex in ipairs(item.hex) do
      local bits = string.unpack("<I4", bytes, 4 * i - 3)
      if ("%08x"):format(bits) ~= hex then common.fail("float %d of %s", i, name) end
    end
  end
end

local folder = common.folder() .. "/formula"
for _, name in ipairs(common.names(folder)) do
  local id = name:match "^(.*)%.json$"
  if id then
    common.case(id, function()
      local case = common.json(folder .. "/" .. name)
      if id == "test_vectors" then return check_vectors(case) end
      return check(case)
    end)
  end
end
common.close()
