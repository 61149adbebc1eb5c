-- internal/launcher.lua: who started this process as one of several, and which of them it is: options, or what
-- torchrun, Open MPI's mpirun or Slurm's srun leave in the environment, the first of them that says so.
local fail = require "icl.internal.fail"

local launcher = {}

-- The integer in a variable of the environment; nil where it is not set.
local function number(getenv, name)
  local text = getenv(name)
  if text == nil or text == "" then return nil end
  local value = math.tointeger(tonumber(text))
  if not value or value < 0 then fail("%s is '%s' in the environment; a launcher sets an integer from 0", name, text) end
  return value
end

-- The place of a process by the variables of these names; nil without them, and what is wrong where one is missing.
local function place(getenv, names)
  local rank, size = number(getenv, names.rank), number(getenv, names.size)
  if not rank and not size then return nil end
  if not rank or not size then
    local there, missing = names.rank, names.size
    if size then there, missing = missing, there end
    return nil, ("%s is set in the environment, but %s is not: a launcher sets both, and where this process is to train "
      .. "alone, neither is"):format(there, missing)
  end
  if rank >= size then
    fail("%s is %d and %s is %d in the environment; ranks count from 0", names.rank, rank, names.size, size)
  end
  return { rank = rank, size = size, local_rank = number(getenv, names.local_rank),
           local_size = names.local_size and number(getenv, names.local_size) }
end

-- The address that MASTER_ADDR and MASTER_PORT name; nil unless both are there.
local function master(getenv, skipped)
  local host, port = getenv "MASTER_ADDR", number(getenv, "MASTER_PORT")
  if not host or host == "" or not port then return nil end
  return (host:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(host, port + (skipped or 0))
end

-- ---- launchers ----

local function by_options(_, opt)
  if opt.rank == nil then return nil end
  return { by = "options", kind = "tcp", rank = opt.rank, size = opt.world_size or 1, local_rank = opt.local_rank,
           address = opt.master }
end

-- torchrun may keep a store of its own at the port, and says so; the group takes the next one then.
local function by_torchrun(getenv)
  local found, half = place(getenv, { rank = "RANK", size = "WORLD_SIZE", local_rank = "LOCAL_RANK",
                                      local_size = "LOCAL_WORLD_SIZE" })
  if not found then return nil, half end
  local taken = getenv "TORCHELASTIC_USE_AGENT_STORE" == "True"
  found.by, found.kind, found.address = "torchrun", "tcp", master(getenv, taken and 1 or 0)
  if found.size > 1 and not found.address then
    fail "RANK and WORLD_SIZE are set, as torchrun does it, but MASTER_ADDR and MASTER_PORT are not"
  end
  return found
end

local function by_open_mpi(getenv)
  local prefix = "OMPI_COMM_WORLD_"
  local found, half = place(getenv, { rank = prefix .. "RANK", size = prefix .. "SIZE",
                                      local_rank = prefix .. "LOCAL_RANK", local_size = prefix .. "LOCAL_SIZE" })
  if found then found.by, found.kind = "mpirun", "mpi" end
  return found, half
end

-- The first host of a list as Slurm writes it: "gpu[03-08,11],login1".
local function first_host(list)
  local first = list:gsub("%[([^%]]*)%]", function(range) return range:match "^%d+" or "" end):match "^[^,]*"
  return first ~= "" and first or nil
end

-- Tasks on a node, counted from 0, of a list as Slurm writes it: "2(x3),1".
local function tasks_on(list, node)
  for entry in list:gmatch "[^,]+" do
    local tasks, nodes = entry:match "^(%d+)%(x(%d+)%)$"
    tasks, nodes = tonumber(tasks or entry), tonumber(nodes or 1)
    if not tasks or node < nodes then return math.tointeger(tasks) end
    node = node - nodes
  end
end

-- A port that two steps on one host hardly share.
local function port_of(getenv)
  return 20000 + ((number(getenv, "SLURM_JOB_ID") or 0) * 31 + (number(getenv, "SLURM_STEP_ID") or 0)) % 10000
end

-- A batch script has these variables, too, but for that of the step, which srun begins.
local function by_slurm(getenv)
  if not number(getenv, "SLURM_STEP_ID") then return nil end
  local of_step = number(getenv, "SLURM_STEP_NUM_TASKS")
  local found, half = place(getenv, { rank = "SLURM_PROCID",
                                      size = of_step and "SLURM_STEP_NUM_TASKS" or "SLURM_NTASKS",
                                      local_rank = "SLURM_LOCALID" })
  if not found then return nil, half end
  local tasks = getenv "SLURM_STEP_TASKS_PER_NODE" or getenv "SLURM_TASKS_PER_NODE"
  found.by, found.kind = "srun", "tcp"
  found.local_size = tasks and tasks_on(tasks, number(getenv, "SLURM_NODEID") or 0)
  local host = first_host(getenv "SLURM_STEP_NODELIST" or getenv "SLURM_JOB_NODELIST" or "")
  found.address = master(getenv) or host and ("%s:%d"):format(host, port_of(getenv))
  if found.size > 1 and not found.address then
    fail "SLURM_PROCID is set, but no list of nodes; MASTER_ADDR and MASTER_PORT name where process 0 is met"
  end
  return found
end

local all = { by_options, by_torchrun, by_open_mpi, by_slurm }

-- launcher.find(opt) -> { by = name, kind =, rank =, size =, local_rank =, local_size =, address = }, of which the last
-- three may be nil; nil where this process was started alone. opt: rank, world_size, local_rank and master, if these
-- were given. getenv: os.getenv, or a stand-in for tests.
function launcher.find(opt, getenv)
  local first
  for _, by in ipairs(all) do
    local found, half = by(getenv or os.getenv, opt or {})
    if found then return found end
    first = first or half  -- another launcher may have set all of its own
  end
  if first then fail("%s", first) end
end

-- launcher.describe(found) -> one line.
function launcher.describe(found)
  local where = found.size > 1 and found.address and (", which meet at %s"):format(found.address) or ""
  return ("Process %d of %d by %s%s"):format(found.rank, found.size, found.by, where)
end

return launcher
