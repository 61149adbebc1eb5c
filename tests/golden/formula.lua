-- formula.lua: full-size networks whose weights come from an integer hash of their names, against DIR/formula/*.json.
-- With --long the largest as well, of which each has a smaller one of its kind.
local common = dofile((arg[0]:match "^(.*/)" or "./") .. "common.lua")
local core = require "icl.core"
local icl = require "icl"
local weights = require "icl.weights"

-- larger network -> one of its kind that is always computed
local LARGER = {
  densenet_bc_190_40 = "densenet_bc_100_12", in_resnet34 = "in_resnet18", in_pyramid200 = "pyramid164b_270",
  mnist_pyramid110_270 = "pyramid110_84", pyramid110_270 = "pyramid110_84",
}

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

-- `count` numbers (r + shift) * factor, with r uniform in [0, 1), as the bytes of f32. The double arithmetic is exact, so
-- that packing is the one rounding.
local BLOCK = 128
local function fill(name, count, formula)
  local name_hash, shift, factor = core.hash32(name), formula.shift, formula.factor
  local parts, block = {}, {}
  for first = 0, count - 1, BLOCK do
    local length = math.min(BLOCK, count - first)
    for k = 1, length do
      block[k] = ((hash(name_hash, first + k - 1) >> 8) * 0x1p-24 + shift) * factor
    end
    parts[#parts + 1] = string.pack("<" .. ("f"):rep(length), table.unpack(block, 1, length))
  end
  return table.concat(parts)
end

local function scaled(bound)
  return { shift = -0.5, factor = 2 * bound }
end

local small = { shift = -0.5, factor = single(0.2) }
local half = { shift = 0.5, factor = 1 }

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

-- A GPU has no sums in f64; those in f32 are of parts there and have as many digits as are compared.
local function norm(tensor)
  local wide = common.device:find "^cuda" and tensor or tensor:cast "f64"
  return wide:norm():item()
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
  relative("norm of " .. what, norm(logits), expected_norm, tolerance)
end

-- Deviation of a gradient from what is expected, of its norm and of three elements, relative to its norm or to a
-- thousandth of that of all gradients together.
local function deviation(gradient, expected, total)
  local flat, norm_expected, elements = gradient:reshape(-1), expected[2], expected[3]
  local worst = math.abs(norm(flat) - norm_expected)
  for i, at in ipairs { 1, flat:count() // 2 + 1, flat:count() } do
    worst = math.max(worst, math.abs(flat:narrow(1, at, 1):item() - elements[i]))
  end
  return worst / math.max(norm_expected, 1e-3 * total)
end

-- How far a gradient may be off, and how far most of them may be. The device "ref" computes in f64 as the references
-- did. In f32 the input of a relu may be so close to 0 that rounding decides on which side it is; the gradients of all
-- layers before that relu then change by up to a hundredth, of deep networks by more. Each gradient has the deviation
-- of PyTorch's own f32 recorded, but other relus flip there than here.
local REF, FLIP, ROUNDING = 1e-6, 2e-2, 1e-5
local function bounds(case, recorded)
  if common.device == "ref" then return REF, REF end
  return math.max(3 * case.torch_f32_rel.grad_max, FLIP), math.max(3 * recorded, ROUNDING)
end

local function check_gradients(gradients, case)
  local total, count, beyond, own = 0, 0, 0, 0
  for name, expected in pairs(case.grads) do
    local gradient = gradients[name] or common.fail("no gradient for %s", name)
    local error, far, near = deviation(gradient, expected, case.grad_norm_total), bounds(case, expected[4])
    common.bound("gradient of " .. name, error, far)
    if error > near then beyond = beyond + 1 end
    total, count = total + norm(gradient) ^ 2, count + 1
  end
  for _ in pairs(gradients) do own = own + 1 end
  if own ~= count then common.fail("%d gradients, not %d", own, count) end
  common.bound("share of gradients beyond three times PyTorch's deviation", beyond / count, 0.5)
  relative("norm of the whole gradient", math.sqrt(total), case.grad_norm_total, (bounds(case, 0)))
end

-- One training step; the running statistics are changed.
local function check_training(case, model, images, labels)
  local logits, loss, gradients = common.train(model, images, labels)
  local tolerance = math.max(10 * case.torch_f32_rel.logits_train, 1e-5)
  check_logits("logits in training", logits, case.logits_train, case.logits_train_norm, tolerance)
  common.bound("loss", math.abs(loss:item() - case.loss_train), math.max(10 * case.torch_f32_rel.loss_abs, 1e-5))
  check_gradients(gradients, case)
  for _, entry in ipairs(model:named_states()) do
    local expected = case.after_norms[entry.name]
    if expected then relative("norm of " .. entry.name, norm(entry.state:read()), expected, tolerance) end
  end
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
  local running = {}
  for _, entry in ipairs(model:named_states()) do running[entry.state] = icl.ops.detach(entry.state) end
  common.beside_kinks(function(near)
    for state, value in pairs(running) do state:write(value) end
    check_training(case, model, near(images), labels)
  end)
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
  if id and (common.long or not LARGER[id]) then
    common.case(id, function()
      local case = common.json(folder .. "/" .. name)
      if id == "test_vectors" then return check_vectors(case) end
      return check(case)
    end)
  end
end
common.close()
