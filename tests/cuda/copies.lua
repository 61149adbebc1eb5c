-- copies.lua: more than the pinned memory of a device holds goes there before anybody waits, and comes back, in pieces
-- and as a whole.
--
--   icl tests/cuda/copies.lua --device cuda
local core = require "icl.core"
local icl = require "icl"

local opt = icl.options "Copies to a device and back": include(icl.options.runtime): parse(arg)
local MB <const> = 1 << 20
local passed, failed = 0, 0

local function expect(good, what)
  passed, failed = passed + (good and 1 or 0), failed + (good and 0 or 1)
  if not good then print("failed: " .. what) end
end

-- Bytes that differ from place to place and from one `seed` to the next; their period is no size of a piece.
local function bytes_of(seed, count)
  local row = {}
  for i = 1, 251 do row[i] = string.char((i * 7 + seed * 31) % 256) end
  return table.concat(row):rep(count // 251 + 1):sub(1, count)
end

local sizes = {}
for i = 1, 24 do sizes[i] = MB + i * 1001 end  -- together more than the ring; none fills a segment alike
sizes[#sizes + 1] = 37 * MB + 5  -- more than all of it at once
local tensors = {}
for i, count in ipairs(sizes) do tensors[i] = core.new_tensor(bytes_of(i, count), "u8", { count }) end
for i, count in ipairs(sizes) do
  expect(tensors[i]:bytes() == bytes_of(i, count), ("tensor %d of %d bytes comes back as another"):format(i, count))
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0, true)
