-- internal/elsewhere.lua: names that tensors, states and icl have in PyTorch and not here, with what does the same.
local core = require "icl.core"

local methods = {
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
}

local functions = {
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

core.elsewhere(methods)

return functions
