-- help/pytorch.lua: what those who come from PyTorch find otherwise here.
return [[
PyTorch -> icl: names and meanings are PyTorch's unless it is said here.

  images              (n, c, h, w)                       (n, h, w, c), weights (kh, kw, in, out); files as PyTorch
  axes                from 0: x.sum(1), x[0]             from 1: x:sum(2), x[1]; -1 is the last in both
  labels, indices     from 0                             from 0 too, inside tensors: one_hot, gather, targets
  methods             x.relu(), model(x)                 x:relu(), model(x)
  shape               x.shape[0], x.shape                x:size(1), x:shape()
  comparison          x == y is elementwise              x:eq(y); x == y asks whether both are the same tensor
  in conditions       if (x > 0).all():                  if x:gt(0):all():item() then; a tensor is always true
  and, or, not        a & b, ~a                          a * b, a:logical_not()
  without an axis     x.argmax(): of all elements        x:argmax(), x:sort(), x:topk(k), x:softmax(): the last axis
  variance            x.var(): divided by n - 1          x:var(): divided by n, x:var(dims, false, 1) by n - 1
  maximum             values, at = x.max(1)              x:max(2), x:argmax(2)
  torch.where         x.where(mask, y)                   mask:where(x, y); torch.where is icl.ops.where
  in place            x[0] = 1, x.add_(1)                tensors do not change: icl.ops.where, x:masked_fill, states
  assignment          self.a, self.b = A(), B()          sets b first, which then comes first in lists: one a line
  parameters          nn.Parameter(t)                    icl.state(t, { trainable = true }); self.w = ... in a layer
  buffers             self.register_buffer("n", t)       self:buffer("n", t): saved and loaded, not trained
  convolution         nn.Conv2d(8, 16, 3, padding=1)     nn.conv2d(8, 16, 3): padded to keep the size, without a bias
                      nn.Conv2d(8, 16, 3, bias=True)     nn.conv2d(8, 16, 3, { padding = 0, bias = true })
  sequential          nn.Sequential(a, b)                nn.sequential { a, b }, also of functions
  layers              class Net(nn.Module)               local Net = nn.layer "net"; function Net:init(...), :forward(x)
  loss                F.cross_entropy(logits, y)         icl.loss.cross_entropy(logits, y)
                      label_smoothing=0.1                smoothing = 0.1
  a step              opt.zero_grad(); loss.backward();  icl.step(function() ... loss:backward()
                      opt.step()                         optimizer:step(0.1) end); gradients are used up by the step
  accumulation        backward() in several passes       for _, part in ipairs(batch:chunks(4)) do in one pass;
                                                         gradients add up in it, and end with it
  gradients           p.grad.clamp_(-1, 1)               w.grad = w.grad:clamp(-1, 1), behind backward()
                      clip_grad_norm_(params, 5)         icl.optim.sgd(model, { gradient_clip = 5 })
  learning rate       in the optimizer                   given to each step: optimizer:step(schedule(run.step))
  milestones          MultiStepLR                        the first update behind a milestone has the old rate still
  SGD                 no momentum unless it is given     icl.optim.sgd: momentum 0.9, nesterov = true unless given
  no gradient         with torch.no_grad():              icl.no_grad(function() ... end)
  evaluation          model.eval()                       model:eval(); icl.evaluate does it by itself
  data                Dataset, DataLoader                icl.data.set, icl.data.folder, icl.data.loader
  two loaders         zip(a, itertools.cycle(b))         run:batches(a), and b:cycle(run.step) beside it
  averages            swa_utils.AveragedModel(model)     icl.ema(model, { equal = true })
  sampling            WeightedRandomSampler              icl.data.loader(set, { training = true, weights = list })
  transforms          transforms.v2 on one image         icl.augment: ops of the step, on the whole batch
  weights             torch.save, load_state_dict        model:save(path), model:load(path), safetensors
  devices             x.to("cuda")                       icl --device cuda FILE.lua: all tensors are on one device
  random integers     torch.randint(0, 10, (3,))         icl.random.randint(0, 9, { 3 }): both ends, as math.random's
  numbers             torch.tensor([1, 2]) is i64        icl.tensor { 1, 2 } is f32; { dtype = "i64" } makes it i64
  overflow            integers wrap around               u8 and i32 stop at their least and largest number
  flatten             x.flatten(): one axis              x:flatten() keeps the first; images channels first, as there
  attention masks     float ones are added               bool alone: true where a position is not looked at
  whole numbers       i64 is exact                       in sums and as indices; the rest is f64's, up to 2^53
  randomness          torch.manual_seed(0)               icl.random.seed(0); draws depend on their place alone
]]
