-- internal/elsewhere.lua: names that tensors, states, modules, optimizers and icl have in PyTorch and not here, with
-- what does the same.
local core = require "icl.core"
local fail = require "icl.internal.fail"

local elsewhere = {}

elsewhere.tensor = {
  std = "x:var(dims, false, 1):sqrt()", prod = "x:log():sum():exp() of positive numbers", square = "x * x",
  view = "x:reshape(...)", reshape_as = "x:reshape(...)", view_as = "x:reshape(...)", unbind = "x[1], x[2], ...",
  numel = "x:count()", nelement = "x:count()", dim = "x:rank()", ndim = "x:rank()", ndimension = "x:rank()",
  clone = "tensors do not change, so none needs a copy; that of a state is state:read()", copy_ = "state:write(value)",
  data = "x:detach()",
  isinf = "x:abs():eq(math.huge)", isfinite = "x:abs():lt(math.huge)", dot = "(x * y):sum()", t = "x:transpose(1, 2)",
  mm = "x:matmul(y)", mv = "x:matmul(y)", log1p = "(x + 1):log(), which loses digits near 0",
  expm1 = "x:exp() - 1, which loses digits near 0", tolist = "x:totable()",
  numpy = "x:totable(), x:bytes()", cuda = "icl --device cuda FILE.lua: all tensors are on one device",
  cpu = "values are read by item() and totable() from any device", tile = "x:repeat_(...)",
  ["repeat"] = "x:repeat_(...)", contiguous = "tensors always are",
  double = 'x:cast "f64"', half = 'x:cast "f16"', bfloat16 = 'x:cast "bf16"', long = 'x:cast "i64"',
  int = 'x:cast "i32"',
  byte = 'x:cast "u8"', bool = 'x:cast "bool"', type = "x:dtype()", requires_grad_ = "x:requires_grad()",
  detach_ = "x:detach()", zero_ = "state:set(0)", fill_ = "state:set(value)",
  grad = "icl.grad(loss, { x })[1]; states have state.grad, behind backward()",
  grad_fn = "ops are recorded inside icl.step alone", retain_grad = "icl.grad(loss, { x })[1]",
}

local no_zeros = "gradients are used up by optimizer:step() and end with the step, so none need to be set to 0"
local on_devices = "icl --device cuda FILE.lua: all tensors are on one device"
local no_hooks = "a module may have a forward of its own: local forward = layer.forward; "
  .. "function layer:forward(x) ... return forward(self, x) end"

elsewhere.module = {
  zero_grad = no_zeros, cuda = on_devices, cpu = on_devices,
  state_dict = "icl.weights.state_dict(model) gives the list, model:save(path) writes a file",
  load_state_dict = "icl.weights.load_state_dict(model, list), or model:load(path) of a file",
  modules = "model:named_modules() -> list of { name =, module = }", named_children = "model:children()",
  named_buffers = "model:named_states(), parameters and buffers",
  requires_grad_ = "model:freeze(), and model:freeze(false) again",
  register_forward_hook = no_hooks, register_forward_pre_hook = no_hooks, register_full_backward_hook = no_hooks,
  register_buffer = "model:buffer(name, value)", register_parameter = "model:parameter(name, value)",
  register_module = "a field is registered where it is assigned: self[name] = layer",
  add_module = "a field is registered where it is assigned: self[name] = layer",
  half = 'model:to "f16"', float = 'model:to "f32"', double = 'model:to "f64"', bfloat16 = 'model:to "bf16"',
}

elsewhere.optimizer = {
  zero_grad = no_zeros, param_groups = "optimizer.groups", add_param_group = "optimizer:add_group { parameters = ... }",
  state = "optimizer:named_states()", defaults = "optimizer.options",
}

elsewhere.icl = {
  cat = "icl.concat(list, dim)", randn = "icl.random.normal { n }", rand = "icl.random.uniform { n }",
  randint = "icl.random.randint(low, high - 1, { n }), which gives both ends", randperm = "icl.random.permutation(n)",
  manual_seed = "icl.random.seed(n)", save = "model:save(path)", load = "model:load(path)",
  device = "icl --device NAME FILE.lua, or icl.configure { device = }", set_num_threads = "icl.configure { threads = }",
  zeros_like = "icl.zeros(x:shape(), x:dtype())", ones_like = "icl.ones(x:shape(), x:dtype())",
  einsum = "x:matmul(y), x:bmm(y)", from_numpy = "icl.tensor { ... }",
  matmul = "x:matmul(y)", softmax = "x:softmax()", Tensor = "icl.tensor { ... }", DataLoader = "icl.data.loader",
  functional = "methods, icl.ops and icl.loss", F = "methods, icl.ops and icl.loss", utils = "icl.data and icl.optim",
  where = "mask:where(x, y)", clip_grad_norm_ = "the option gradient_clip of optimizers", lr_scheduler = "icl.schedule",
}

core.elsewhere(elsewhere.tensor)

-- elsewhere.check_dtype(name): an error where a device is named in place of a dtype; PyTorch's to() takes either.
function elsewhere.check_dtype(name)
  if type(name) == "string" and (name:find "^cuda" or name == "cpu") then
    fail("to: it takes a dtype, not the device '%s': %s", name, on_devices)
  end
end

-- elsewhere.hints(what) -> a metatable for the class of what is called so: of its fields those that are not there and
-- that PyTorch has are errors that say what does the same, all others nil.
function elsewhere.hints(what)
  return { __index = function(_, name)
    local hint = elsewhere[what][name]
    if hint then fail("%s: there is no '%s': %s", what, name, hint) end
  end }
end

return elsewhere
