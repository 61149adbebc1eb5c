-- test_launcher.lua: which process of how many this is, by what launchers leave in the environment.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local launcher = require "icl.internal.launcher"

local function find(variables, opt)
  return launcher.find(opt, function(name) return variables[name] end)
end

local function has(found, expected)
  for name, value in pairs(expected) do
    if found[name] ~= value then
      error(("%s is %s, not %s"):format(name, tostring(found[name]), tostring(value)), 2)
    end
  end
end

local torchrun = { RANK = "3", WORLD_SIZE = "8", LOCAL_RANK = "1", LOCAL_WORLD_SIZE = "2", MASTER_ADDR = "node1",
                   MASTER_PORT = "29500" }
local open_mpi = { OMPI_COMM_WORLD_RANK = "1", OMPI_COMM_WORLD_SIZE = "4", OMPI_COMM_WORLD_LOCAL_RANK = "1",
                   OMPI_COMM_WORLD_LOCAL_SIZE = "4" }
local slurm = { SLURM_PROCID = "5", SLURM_NTASKS = "7", SLURM_LOCALID = "1", SLURM_NODEID = "2", SLURM_JOB_ID = "1234",
                SLURM_STEP_ID = "0", SLURM_JOB_NODELIST = "gpu[003-005,011],login1", SLURM_TASKS_PER_NODE = "2(x3),1" }

local function with(variables, changes)
  local all = {}
  for name, value in pairs(variables) do all[name] = value end
  for name, value in pairs(changes) do all[name] = value or nil end
  return all
end

check("a process that nobody launched is alone", function()
  check.equal(find {}, nil)
  check.equal(find { RANK = "", WORLD_SIZE = "", MASTER_ADDR = "host", MASTER_PORT = "1" }, nil)
  check.equal(find { SLURM_NTASKS = "4", SLURM_JOB_ID = "7" }, nil)
end)

check("options", function()
  has(find({}, { rank = 1, world_size = 2, local_rank = 0, master = "a:1" }),
    { by = "options", kind = "tcp", rank = 1, size = 2, local_rank = 0, address = "a:1" })
  has(find(torchrun, { rank = 0, world_size = 1 }), { by = "options", rank = 0, size = 1 })
end)

check("torchrun", function()
  has(find(torchrun), { by = "torchrun", kind = "tcp", rank = 3, size = 8, local_rank = 1, local_size = 2,
                        address = "node1:29500" })
  has(find(with(torchrun, { TORCHELASTIC_USE_AGENT_STORE = "True" })), { address = "node1:29501" })
  has(find(with(torchrun, { TORCHELASTIC_USE_AGENT_STORE = "False", MASTER_ADDR = "fe80::1" })),
    { address = "[fe80::1]:29500" })
  has(find { RANK = "0", WORLD_SIZE = "1" }, { rank = 0, size = 1 })
  check.raises(function() find(with(torchrun, { MASTER_PORT = false })) end, "MASTER_ADDR and MASTER_PORT are not")
end)

check("mpirun", function()
  has(find(open_mpi), { by = "mpirun", kind = "mpi", rank = 1, size = 4, local_rank = 1, local_size = 4 })
  has(find(with(slurm, open_mpi)), { by = "mpirun" })
  has(find(with(torchrun, open_mpi)), { by = "torchrun" })
end)

check("srun", function()
  has(find(slurm), { by = "srun", kind = "tcp", rank = 5, size = 7, local_rank = 1, local_size = 2 })
  local port = 20000 + (1234 * 31) % 10000
  has(find(slurm), { address = "gpu003:" .. port })
  has(find(with(slurm, { SLURM_STEP_NODELIST = "n7" })), { address = "n7:" .. port })
  has(find(with(slurm, { SLURM_JOB_NODELIST = "a1,a2" })), { address = "a1:" .. port })
  has(find(with(slurm, { SLURM_JOB_NODELIST = "rack[2-3]-n[04-05]" })), { address = "rack2-n04:" .. port })
  has(find(with(slurm, { SLURM_NODEID = "3" })), { local_size = 1 })
  has(find(with(slurm, { SLURM_STEP_NUM_TASKS = "6" })), { size = 6 })
  has(find(with(slurm, { MASTER_ADDR = "head", MASTER_PORT = "777" })), { address = "head:777" })
  check.equal(find(with(slurm, { SLURM_STEP_ID = false })), nil)  -- in a batch script
  check.raises(function() find(with(slurm, { SLURM_JOB_NODELIST = false })) end, "no list of nodes")
end)

check("variables that make no sense", function()
  check.raises(function() find(with(torchrun, { RANK = "one" })) end, "RANK is 'one' in the environment")
  check.raises(function() find(with(torchrun, { RANK = "-1" })) end, "RANK is '%-1'")
  check.raises(function() find(with(torchrun, { RANK = "8" })) end, "RANK is 8 and WORLD_SIZE is 8")
  check.raises(function() find(with(open_mpi, { OMPI_COMM_WORLD_SIZE = "1.5" })) end, "OMPI_COMM_WORLD_SIZE is '1.5'")
end)

check("what was found is told in a line", function()
  check.equal(launcher.describe(find(torchrun)), "Process 3 of 8 by torchrun, which meet at node1:29500")
  check.equal(launcher.describe(find(open_mpi)), "Process 1 of 4 by mpirun")
end)

check("half of what a launcher sets is an error", function()
  check.raises(function() find { RANK = "1" } end, "RANK is set in the environment, but WORLD_SIZE is not")
  check.raises(function() find { WORLD_SIZE = "4", MASTER_ADDR = "host", MASTER_PORT = "1" } end,
    "WORLD_SIZE is set in the environment, but RANK is not")
  has(find { WORLD_SIZE = "4", OMPI_COMM_WORLD_RANK = "1", OMPI_COMM_WORLD_SIZE = "4" }, { by = "mpirun", rank = 1 })
end)

check.close()
