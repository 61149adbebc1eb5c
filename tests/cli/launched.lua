-- launched.lua WHAT [SECONDS [SECONDS]]: one of several processes, for test_launch.py. It meets the others as its
-- launcher says, and does WHAT. The seconds are those of silence, and until all must be there.
local core = require "icl.core"
local launcher = require "icl.internal.launcher"

local what, timeout = arg[1], tonumber(arg[2])
local found = launcher.find() or { kind = "tcp", rank = 0, size = 1, by = "nobody" }
local group = core.group_open { kind = found.kind, rank = found.rank, size = found.size, address = found.address,
                                timeout = timeout, start_timeout = tonumber(arg[3]) or 60,
                                fast_reduce = what == "fast" }
local rank, size = group:rank(), group:size()
io.stdout:setvbuf "line"

-- Small and large things of all kinds.
local function talk()
  local numbers, texts = {}, {}
  for i = 1, 3000 do numbers[i] = (rank + 1) * i end
  for r = 1, size do texts[r] = ("%d"):format(r - 1):rep(20000 * r) end
  local sums, all = group:sum(numbers), group:gather(texts[rank + 1])
  for i = 1, 3000 do assert(sums[i] == i * size * (size + 1) // 2) end
  for r = 1, size do assert(all[r] == texts[r]) end
  for root = 0, size - 1 do
    assert(group:broadcast(rank == root and texts[root + 1] or nil, root) == texts[root + 1])
  end
  for _ = 1, 20 do group:barrier() end
  return sums[1]
end

-- Sums of floats whose order is seen in the result.
local function add()
  local numbers = {}
  for i = 1, 20000 do numbers[i] = (rank + 1) / i * 10.0 ^ (i % 7 - 3 * rank) end
  local sums = group:sum(numbers)
  for i = 1, 20000 do
    local sum = 0.0
    for r = 0, size - 1 do
      local one = (r + 1) / i * 10.0 ^ (i % 7 - 3 * r)
      sum = r == 0 and one or sum + one
    end
    assert(sums[i] == sum)
  end
end

if what ~= "fast" then add() end
print(("rank %d of %d by %s with %s: %d, local %d of %d, %d threads"):format(rank, size, found.by, found.kind, talk(),
  group:local_rank(), group:local_size(), group:threads()))

if what == "wait" then  -- until something happens
  if rank == 1 then io.stdout:write("pid ", io.open "/proc/self/stat":read "n", "\n") end
  while true do group:barrier() end
elseif what == "abort" and rank == 1 then
  group:abort "the loss is not finite"
  error "the loss is not finite"
elseif what == "code" and rank == 1 then
  group:close()
  os.exit(7)
end
if what == "abort" then group:barrier() end
