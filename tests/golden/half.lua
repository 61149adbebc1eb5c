-- half.lua: the cases of models.lua with images in 16 bits, with products in tf32 (--precision bf16, f16 or tf32), or of
-- f32 as sums of two bf16 (--precision f32, with ICL_CONV=amx), against the same references: logits, loss and the whole
-- gradient in the 2-norm.
local common = dofile((arg[0]:match "^(.*/)" or "./") .. "common.lua")
local icl = require "icl"

-- One and a half to two times the largest deviations of the reference in bf16, with weights that were rounded too, as
-- devices do whose products take 16 bits: small networks and batches amplify rounding, and relus flip. bf16 keeps 8
-- bits, f16 and tf32 11.
local BF16 = { logits = 0.25, loss = 0.05, gradient = 0.9 }

-- The same of f32 with two terms, which keep 16 bits.
local F32 = { logits = 2.5e-4, loss = 1.2e-4, gradient = 0.03 }

-- Its last batch norms see two numbers a channel: weights rounded to bf16 are enough to turn the gradient round.
local turned = { densenet_bc_large = true }

local function bound_of(what)
  if common.precision == "f32" then return F32[what] end
  return common.precision == "bf16" and BF16[what] or BF16[what] / 4
end

local function check_logits(what, logits, expected)
  local d = common.difference(common.values(logits), common.values(expected))
  common.bound(what, d.norm / d.reference, bound_of "logits")
  return d.norm / d.reference
end

local function check_gradients(id, gradients, case, io)
  local difference, total = 0, 0
  for _, name in ipairs(case.param_order) do
    local d = common.difference(common.values(gradients[name]), common.values(io["grad." .. name]))
    difference, total = difference + d.norm ^ 2, total + d.reference ^ 2
  end
  local ignored = turned[id] and common.precision == "bf16"
  if not ignored then common.bound("gradient", math.sqrt(difference / total), bound_of "gradient") end
  return math.sqrt(difference / total)
end

local function check(path)
  local case = common.json(path .. "/case.json")
  local model, reason = common.model(case)
  if not model then return reason end
  local io = common.tensors(path .. "/io.safetensors")
  if not io or not common.read(path .. "/weights.safetensors") then return "its data files are not there" end
  local dtype = common.precision == "tf32" and "f32" or common.precision
  local images = common.images(io.input):cast(dtype)
  common.give_draws(model, io, dtype)
  model:load(path .. "/weights.safetensors")
  model:eval()
  local evaluation = icl.step(function() return model(images) end)
  local evaluated = check_logits("logits in evaluation", evaluation, io.logits_eval_f64)
  local logits, loss, gradients = common.train(model, images, io.labels)
  local trained = check_logits("logits in training", logits, io.logits_train_f64)
  local difference = math.abs(loss:item() - common.values(io.loss_train_f64)[1])
  common.bound("loss", difference, bound_of "loss")
  local gradient = check_gradients(path:match "[^/]+$", gradients, case, io)
  print(("  deviation of logits %.2g, %.2g, of the loss %.2g, of the gradient %.2g"):format(evaluated, trained,
    difference, gradient))
end

local folder = common.folder() .. "/models"
for _, name in ipairs(common.names(folder)) do
  common.case(name, function() return check(folder .. "/" .. name) end)
end
common.close()
