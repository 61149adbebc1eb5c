-- commands/launch.lua: `icl launch`: a recipe in several processes of this machine, which train together.
local core = require "icl.core"
local fail = require "icl.internal.fail"
local usage = require "icl.internal.usage"

local help = [[
icl launch: runs a recipe in several processes on this machine, which train together

  icl launch -n N [options of icl] FILE.lua [arguments]

options:
  -n N                        how many processes
  -h, --help                  this text

It calls `mpirun -n N icl FILE.lua ...`; on several machines call mpirun or srun yourself.]]

local MOST = 1024
-- Seconds from the moment that mpirun tells processes to end, so that they save what they have, until it kills them. It
-- waits as long after a process that failed.
local GRACE, GRACE_NAME = 10, "odls_base_sigkill_timeout"

local function wrong(format, ...)
  usage.wrong("icl launch", (format:format(...)) .. "; icl launch --help tells more")
end

-- The number of processes, and the index of the first word that is icl's.
local function parse(words)
  local count, i = nil, 1
  while words[i] and words[i]:find "^%-[nh]" or words[i] == "--help" do
    local word = words[i]
    if word == "-h" or word == "--help" then usage.leave(0, help) end
    local text = word:sub(3)
    if text == "" then
      i = i + 1
      text = words[i] or wrong "-n needs a number"
    end
    if count then wrong "-n is there twice; it can be given once" end
    count = math.tointeger(tonumber(text))
    if not count or count < 1 or count > MOST then wrong("-n %s: it must be an integer from 1 to %d", text, MOST) end
    i = i + 1
  end
  if not count then wrong "-n says how many processes there shall be" end
  if not words[i] then wrong "there is no recipe to run" end
  return count, i
end

-- The name that this program was called by.
local function program()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  return arg[first]
end

local function is_root()
  local status = io.open "/proc/self/status"
  local text = status and status:read "a" or ""
  if status then status:close() end
  return text:match "\nUid:%s+%d+%s+(%d+)" == "0"
end

-- words: those of the command line behind `launch`. -> the exit code of mpirun.
return function(words)
  local count, first = parse(words)
  local usable, why = core.group_usable "mpi"
  if not usable then fail("icl launch: %s", why) end
  local command = { "mpirun", "-n", tostring(count), "--oversubscribe", "--bind-to", "none" }
  if not os.getenv("OMPI_MCA_" .. GRACE_NAME) then
    table.move({ "--mca", GRACE_NAME, tostring(GRACE) }, 1, 3, #command + 1, command)
  end
  if is_root() then command[#command + 1] = "--allow-run-as-root" end
  command[#command + 1] = program()
  table.move(words, first, #words, #command + 1, command)
  -- Open MPI gives processes a terminal of its own, on which they would draw a bar into a file. Its mpirun hands on
  -- USR2, which is TERM to them, while it answers TERM itself by ending them, that of version 5 by killing them.
  local ok, code = pcall(core.spawn, command, not core.isatty(1) and "TERM=dumb" or nil, true)
  if not ok then fail("icl launch: mpirun does not start; Debian has it in the package openmpi-bin (%s)", code) end
  return code
end
