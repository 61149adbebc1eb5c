-- distributed: several processes that train together, on one machine or many, one a device.
--
-- A launcher starts the same recipe in each: `icl launch -n 4 recipes/wrn.lua`, mpirun, srun or torchrun. Each has a
-- number, its rank. A recipe needs no change: loaders hand each process its part of every batch, gradients are those of
-- the mean over the whole batch, logged values and figures of evaluations are those of all, and process 0 writes and
-- tells. All processes must run the same program: what waits for the others waits in all of them.
--
--   if icl.distributed.is_main() then print "told once" end
--
-- A loop of one's own over run:batches(loader) is as for one process. With icl.step alone the loss is to be multiplied
-- with the share of the images that are this process's, batch:share(), since gradients of states are summed over all
-- processes; so are those of icl.grad with respect to states. t:all_reduce() is the sum over all processes of a tensor
-- in a step.
local arguments = require "icl.internal.arguments"
local core = require "icl.core"
local fail = require "icl.internal.fail"
local launcher = require "icl.internal.launcher"
local part = require "icl.internal.part"
local processes = require "icl.internal.processes"
local states_of = require "icl.internal.states_of"
local usage = require "icl.internal.usage"

local distributed = {}

-- icl.distributed.rank() -> the number of this process, from 0; 0 where there is one.
function distributed.rank()
  return processes.rank()
end

-- icl.distributed.size() -> how many processes train together; 1 where this one is alone.
function distributed.size()
  return processes.size()
end

-- icl.distributed.local_rank() -> the number of this process among those of its machine, from 0.
function distributed.local_rank()
  local group = processes.group()
  return group and group:local_rank() or 0
end

-- icl.distributed.is_main() -> is this process 0, the one that writes and tells?
function distributed.is_main()
  return processes.is_main()
end

-- icl.distributed.barrier(): waits until all processes have come here.
function distributed.barrier()
  processes.barrier()
end

-- icl.distributed.broadcast(thing): the states of a module, an optimizer or a list of states get the values that they
-- have in process 0. icl.run does it with what it keeps.
function distributed.broadcast(thing)
  arguments.typed("icl.distributed.broadcast", thing, "table", "what has named_states(), or a list of states")
  processes.spread(thing.named_states and states_of(thing) or thing)
end

-- icl.distributed.sum(number or list of numbers) -> the sum over all processes, of a list number by number; in the
-- order of ranks, in f64.
function distributed.sum(value)
  if type(value) == "number" then return processes.sum({ value })[1] end
  arguments.typed("icl.distributed.sum", value, "table", "a number or a list of numbers")
  for i, one in ipairs(value) do arguments.finite(("icl.distributed.sum: number %d"):format(i), one) end
  return processes.sum(value)
end

-- The batch norms of a module get a field.
local function mark(what, model, name)
  if type(model) ~= "table" or not model.named_modules then
    fail("%s: the model is %s; it must be a module", what, arguments.described(model))
  end
  for _, entry in ipairs(model:named_modules()) do
    if entry.module.class_name == "batch_norm" then entry.module[name] = true end
  end
end

-- icl.distributed.sync_batch_norm(model): from now on its batch norms normalise with the statistics of the whole batch
-- of all processes, as if one had it; --sync-bn does it.
function distributed.sync_batch_norm(model)
  mark("icl.distributed.sync_batch_norm", model, "sync")
end

-- icl.distributed.average_batch_norm(model): from now on the running statistics of its batch norms are the means of
-- those of all processes, and not those of process 0 alone; --average-bn does it.
function distributed.average_batch_norm(model)
  mark("icl.distributed.average_batch_norm", model, "average")
end

-- ---- meeting the others ----

-- From now on t:backward() in a pass over batches leaves the gradients of the mean over the whole batch, as in one
-- process: those of states are added up over all.
local function weigh_losses()
  local methods = core.tensor_methods
  local backward = methods.backward
  function methods.backward(x, ...)
    return backward(type(x) == "userdata" and part.weighed_own(x) or x, ...)
  end
end

local opened  -- the group, before the engine has it

-- Meets the other processes; the engine has the group from distributed.attach() on.
local function open(what, given)
  if opened then fail("%s: this process has met the others already", what) end
  opened = core.group_open(given)
  processes.use(opened, given.fast_reduce)
  if processes.are_several() then weigh_losses() end
end

-- Gives the engine the group, if there is one.
function distributed.attach()
  if opened then core.set_group(opened) end
end

-- Does the launcher let this process see a single GPU?
local function has_one_gpu()
  local visible = os.getenv "CUDA_VISIBLE_DEVICES"
  return visible ~= nil and visible:find "^[^,]+$" ~= nil
end

-- The device of this process, where nobody gave it a number.
local function own_device(device)
  if not device or device == "cpu" or device == "ref" or device:find(":", 1, true) or has_one_gpu() then
    return device
  end
  return ("%s:%d"):format(device, distributed.local_rank())
end

-- icl.distributed.init { rank =, size =, address = "host:port" [, kind = "tcp", timeout = 20, fast_reduce = false] }:
-- meets the other processes, for scripts without options; before the first tensor is made. The address is one of
-- process 0, which listens there.
function distributed.init(given)
  local what = "icl.distributed.init"
  given = arguments.options(what, given, { kind = "tcp", timeout = 20, fast_reduce = false },
    { "rank", "size", "address" })
  arguments.integer(what .. ": size", given.size, 1)
  arguments.integer(what .. ": rank", given.rank, 0, given.size - 1)
  if given.size > 1 then arguments.typed(what .. ": address", given.address, "string", "host:port of process 0") end
  open(what, given)
  if given.size > 1 then core.configure { device = own_device(core.configured().device) } end
  distributed.attach()
end

-- distributed.settings(settings): of those of the engine, threads and device that nobody chose: the processes of a
-- machine share its cores, and each has the device of its own number, or the only one that it sees.
function distributed.settings(settings)
  if not opened or opened:size() == 1 then return end
  if not settings.threads and not os.getenv "ICL_THREADS" then settings.threads = opened:threads() end
  settings.device = own_device(settings.device)
end

-- The images of a batch of all processes are the same where a run goes on with another number of them.
local function settle_batch(opt)
  if opt.global_batch_size or not opt.batch_size then return end
  opt.global_batch_size = opt.resume and opt.batch_size or opt.batch_size * processes.size()
end

-- distributed.from_options(opt): meets the processes that options such as those of icl.options.processes, or the
-- launcher that started this one, tell of. opt.world_size is how many there are then, and opt.global_batch_size the
-- images of a batch of all.
function distributed.from_options(opt)
  local found = not opened and usage.during(opt, launcher.find, opt)
  if found then
    if found.rank == 0 then print(launcher.describe(found)) end
    usage.during(opt, open, "icl.distributed", { kind = found.kind, rank = found.rank, size = found.size,
                                                 address = found.address, fast_reduce = opt.fast_reduce })
  end
  local size = processes.size()
  if opt.world_size and opt.world_size ~= size then
    usage.during(opt, fail, "{world_size} %d: there %s; `icl launch -n %d` starts as many on this machine",
      opt.world_size, size == 1 and "is one process" or ("are %d processes"):format(size), opt.world_size)
  end
  if size == 1 then return end
  opt.world_size = size
  settle_batch(opt)
end

return distributed
