-- common.lua: what the golden scripts share: command line, files, building a case's model, comparing, the closing line.
--
--   icl tests/golden/NAME.lua DIR [--device NAME] [--precision NAME] [--eager] [--chunk N] [--long]
--
-- --long computes cases that are left out otherwise, where there are such.
local core = require "icl.core"
local icl = require "icl"
local weights = require "icl.weights"

local common = { passed = 0, failed = 0, skipped = 0, device = "cpu", precision = "f32" }

-- Raises an error without a position.
function common.fail(format, ...)
  error(format:format(...), 0)
end

local function usage(message)
  local text = "%s: %s\nusage: icl %s DIR [--device NAME] [--precision NAME] [--eager] [--chunk N] [--long]\n"
  io.stderr:write(text:format(arg[0], message, arg[0]))
  os.exit(2, true)
end

-- The folder given on the command line; the engine is set up as its options say.
function common.folder()
  local folder, settings, i = nil, {}, 1
  while arg[i] do
    if arg[i] == "--eager" then
      settings.eager = true
    elseif arg[i] == "--long" then
      common.long = true
    elseif arg[i] == "--device" or arg[i] == "--precision" or arg[i] == "--chunk" then
      local value = arg[i + 1] or usage(arg[i] .. " needs a value")
      if arg[i] == "--chunk" then value = math.tointeger(tonumber(value)) or usage "--chunk needs an integer" end
      settings[arg[i]:sub(3)] = value
      i = i + 1
    elseif arg[i]:sub(1, 2) == "--" or folder then
      usage("unexpected " .. arg[i])
    else
      folder = arg[i]
    end
    i = i + 1
  end
  common.device = settings.device or common.device
  common.precision = settings.precision or common.precision
  if settings.precision ~= "tf32" then settings.precision = nil end  -- the engine's; the others are dtypes of images
  if next(settings) then icl.configure(settings) end
  return folder or usage "which folder?"
end

-- The whole of a file, or nil.
function common.read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local bytes = file:read "a"
  file:close()
  return bytes
end

-- A JSON file as a table; an error that names it if it is not there.
function common.json(path)
  local text = common.read(path) or common.fail("cannot read %s", path)
  return core.json_decode(text)
end

-- The tensors of a safetensors file by name, or nil if there is no such file.
function common.tensors(path)
  if not common.read(path) then return nil end
  local by_name = {}
  for _, item in ipairs(core.safetensors_read(path)) do by_name[item.name] = item.tensor end
  return by_name
end

-- The names in a folder, sorted.
function common.names(folder)
  local names = core.list_folder(folder) or {}
  if #names == 0 then common.fail("there is nothing in %s", folder) end
  return names
end

-- PyTorch's (n, c, h, w) -> (n, h, w, c).
function common.images(tensor)
  return tensor:permute(1, 3, 4, 2)
end

-- The model of a case, without dropout, as the references were made; nil and the reason for a skip where the family or
-- an option does not exist here.
function common.model(case)
  local name, family = case.model.name, nil
  for _, known in ipairs(icl.models.names) do
    if known == name then family = icl.models[known] end
  end
  if not family then return nil, "there is no model " .. tostring(name) end
  local size = case.dataset.image_size
  local options = { type = case.model.type, init_mode = case.model.init_mode, classes = case.dataset.n_classes,
                    input = { size, size, case.dataset.n_channels } }
  for key, value in pairs(case.model[name] or {}) do
    options[key] = value
  end
  options[options.type == "imagenet" and "depth" or "n_blocks"] = nil  -- settings have both; each form goes by one
  if options.shake_forward == false and options.shake_backward == false then options.shake_image = nil end  -- no draws
  local ok, result = pcall(family, options)
  if ok then
    return result:apply(function(module)
      if module.class_name == "dropout" then module.p = 0 end
    end)
  end
  if tostring(result):find "there is no option" then return nil, tostring(result) end
  error(result, 0)
end

-- Shake-Shake blocks take their shares from the case, one number for the batch or one for each image, in the dtype of
-- the images.
function common.give_draws(model, io, dtype)
  model:apply(function(module, path)
    if module.class_name ~= "shake_block" then return end
    function module.draw(_, name)
      local shares = io[name .. "." .. path] or common.fail("no %s for %s", name, path)
      return shares:reshape(-1, 1, 1, 1):cast(dtype or "f32")
    end
  end)
end

-- The optimizer of a case: what its settings do not name is as in icl.options.training.
function common.optimizer(parameters, settings)
  local options, lars, adabound = icl.options.training:defaults(), settings.lars or {}, settings.adabound or {}
  for name in pairs(options) do
    if settings[name] ~= nil then options[name] = settings[name] end
  end
  local own = { lars_eps = lars.eps, lars_threshold = lars.threshold, final_lr = adabound.final_lr,
                gamma = adabound.gamma, betas = options.optimizer:find "^adabound" and adabound.betas or nil }
  for name, value in pairs(own) do options[name] = value end
  options.weight_decay_of = settings.no_weight_decay_on_bn and "conv.weight" or "all"
  options.as_published = true
  return icl.optim.from_options(options, parameters)
end

-- One training step without an update: logits, loss, and gradients by name in PyTorch's layout.
function common.train(model, images, labels)
  model:train()
  local gradients = {}
  local logits, loss = icl.step(function()
    local logits = model(images)
    local loss = icl.loss.cross_entropy(logits, labels)
    loss:backward()
    for _, entry in ipairs(model:named_states()) do
      local gradient, axes = entry.state.grad, entry.module.pytorch_axes
      if gradient then gradients[entry.name] = weights.to_pytorch(gradient, axes and axes[entry.key]):keep() end
    end
    return logits, loss
  end)
  return logits, loss, gradients
end

-- Calls compare(near), where near(images) gives the images themselves. The gradient of a network jumps where a value in
-- front of a ReLU is as close to 0 as f32 rounds, and then depends on the order of sums. So where something deviates,
-- the comparison is made again with noise of the size of roundings on the images, which does not grow: more of it moves
-- more values over their kinks. What is wrong in a kernel deviates every time. What agrees only so is said. Raises the
-- first deviation if none agrees.
function common.beside_kinks(compare)
  local first
  icl.random.seed(0)  -- the same noise, whichever cases came before
  for attempt = 0, 24 do
    local ok, message = pcall(compare, function(images)
      if attempt == 0 then return images end
      return images + icl.random.normal(images:shape()) * 2 ^ (attempt % 3 - 24)
    end)
    if ok and first then print(("  beside a kink, at attempt %d: %s"):format(attempt + 1, first)) end
    if ok then return end
    first = first or message
    if not tostring(message):find "deviation" then break end
  end
  error(first, 0)
end

-- An error unless the model trains `count` numbers.
function common.check_count(model, count)
  if model:count() ~= count then common.fail("%d numbers are trained, not %d", model:count(), count) end
end

-- The elements of a tensor or state as a flat list of numbers.
function common.values(tensor)
  if #tensor:shape() == 0 then return { tensor:item() } end
  return tensor:reshape(-1):totable()
end

-- Largest |a - b|, largest |b|, |a - b| and |b| in the 2-norm; infinite where a value is not a number.
function common.difference(a, b)
  if #a ~= #b then common.fail("%d values instead of %d", #a, #b) end
  local result = { maximum = 0, largest = 0, norm = 0, reference = 0 }
  for i = 1, #a do
    local d = math.abs(a[i] - b[i])
    if d ~= d then d = math.huge end
    result.maximum, result.largest = math.max(result.maximum, d), math.max(result.largest, math.abs(b[i]))
    result.norm, result.reference = result.norm + d * d, result.reference + b[i] * b[i]
  end
  result.norm, result.reference = math.sqrt(result.norm), math.sqrt(result.reference)
  return result
end

-- An error unless value <= bound.
function common.bound(what, value, bound)
  if not (value <= bound) then common.fail("%s: deviation %.3g, allowed %.3g", what, value, bound) end
end

-- Runs a case: f returns nothing, or a reason to skip it. One line is printed.
function common.case(name, f)
  collectgarbage()
  local ok, result = xpcall(f, function(message)
    return type(message) == "string" and message:find "deviation" and message or debug.traceback(tostring(message), 2)
  end)
  local outcome = not ok and "failed" or result and "skipped" or "passed"
  common[outcome] = common[outcome] + 1
  if outcome == "skipped" then
    print(("skipped: %s: %s"):format(name, result))
  else
    print(("%-8s %s%s"):format(outcome == "passed" and "ok" or "FAILED", name, ok and "" or ": " .. result))
  end
end

-- Runs f(id, case) as a case for each of a table of cases, in the order of their names.
function common.cases(cases, f)
  local ids = {}
  for id in pairs(cases) do ids[#ids + 1] = id end
  table.sort(ids)
  for _, id in ipairs(ids) do
    common.case(id, function() return f(id, cases[id]) end)
  end
end

-- The closing line; leaves the program.
function common.close()
  local line = ("%d passed, %d failed"):format(common.passed, common.failed)
  if common.skipped > 0 then line = line .. (", %d skipped"):format(common.skipped) end
  print(line)
  os.exit(common.failed == 0 and 0 or 1, true)
end

return common
