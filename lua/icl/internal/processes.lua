-- internal/processes.lua: the processes that train together, of which this is one: a group of core, or none.
--
-- What waits for the others must be called by all of them, in the same order.
local core = require "icl.core"
local launcher = require "icl.internal.launcher"
local part = require "icl.internal.part"

local processes = {}

local group  -- nil: this process is alone
local fast = false

-- processes.use(other [, is_fast]): the group from now on; nil for none. is_fast: its sums are added in any order.
function processes.use(other, is_fast)
  group, fast = other, is_fast or false
end

-- processes.is_fast() -> are sums added in an order that the communicator chooses?
function processes.is_fast()
  return fast
end

-- processes.group() -> the group, or nil.
function processes.group()
  return group
end

-- processes.size() -> how many there are.
function processes.size()
  return group and group:size() or 1
end

-- processes.rank() -> the number of this one, from 0.
function processes.rank()
  return group and group:rank() or 0
end

-- processes.are_several() -> are there others?
function processes.are_several()
  return processes.size() > 1
end

-- processes.is_main() -> is this the one that writes and tells?
function processes.is_main()
  return processes.rank() == 0
end

local told = false

-- processes.tell_if_apart(): called where a training is made. A process that a launcher started as one of several, and
-- that has not met the others, trains alone: that may be meant, so it is told and no error.
function processes.tell_if_apart()
  if told or group then return end
  told = true
  local ok, found = pcall(launcher.find)
  if not ok or not found or found.size == 1 then return end
  io.stderr:write(("icl: warning: %s has not met the others and trains alone: options that include "
    .. "icl.options.runtime meet them, and so does icl.distributed.init\n"):format(launcher.describe(found)))
end

-- processes.barrier(): waits until all have come here.
function processes.barrier()
  if processes.are_several() then group:barrier() end
end

-- processes.broadcast(text) -> the text that the main process gave.
function processes.broadcast(text)
  return processes.are_several() and group:broadcast(text, 0) or text
end

-- processes.gather(text) -> the list of what all gave, in their order.
function processes.gather(text)
  return processes.are_several() and group:gather(text) or { text }
end

-- processes.sum(list) -> the sums of what all gave, number by number.
function processes.sum(list)
  return processes.are_several() and #list > 0 and group:sum(list) or list
end

-- processes.abort(why): all others fail, and say that it was here.
function processes.abort(why)
  if processes.are_several() then group:abort(why) end
end

-- processes.reduce(x [, options]) -> in a step that all record: the sum of what all have.
function processes.reduce(x, options)
  return processes.are_several() and core.ops.all_reduce(x, options or {}) or x
end

-- processes.mean(x) -> in a pass of training: the mean over the images of the whole batch of what is a mean over those
-- of this process.
function processes.mean(x)
  return part.is_shared() and processes.reduce(part.weighed_own(x)) or x
end

-- ---- states ----

-- processes.differing(states) -> by the places of those states that are not the same in all processes, to the bit, the
-- rank of one where it is not as in the main one.
function processes.differing(states)
  local digests, ranks = {}, {}
  for i, state in ipairs(states) do digests[i] = ("<I4"):pack(core.tensor_checksum(state:read())) end
  local all = processes.gather(table.concat(digests))
  for rank = 1, #all - 1 do
    for i = 1, #states do
      local first, last = 4 * i - 3, 4 * i
      if all[rank + 1]:sub(first, last) ~= all[1]:sub(first, last) then ranks[i] = ranks[i] or rank end
    end
  end
  return ranks
end

-- processes.spread(states): states get the values that they have in the main process; nothing is sent where they are
-- the same in all.
function processes.spread(states)
  if not processes.are_several() or #states == 0 then return end
  local differing = processes.differing(states)
  for i, state in ipairs(states) do
    if differing[i] then state:set(processes.broadcast(state:read():bytes())) end
  end
end

return processes
