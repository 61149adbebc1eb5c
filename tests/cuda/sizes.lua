-- sizes.lua: what has more elements than a kernel can count is refused by name, before any memory is asked for.
--
--   icl tests/cuda/sizes.lua --device cuda
local icl = require "icl"

icl.options "Values that are too large": include(icl.options.runtime): parse(arg)
local passed, failed = 0, 0
local SIDE <const> = 65537  -- its square is just above 2^32

local function expect_refused(name, record)
  local done, message = pcall(icl.step, record)
  if not done and message:find(name .. ": %w+ %(65537, .* is too large for its CUDA kernel") then
    passed = passed + 1
  else
    failed = failed + 1
    print(("failed: %s: %s"):format(name, message))
  end
end

expect_refused("add", function() return (icl.zeros { SIDE, 1 } + icl.zeros { SIDE }):sum() end)
expect_refused("scale_shift", function() return icl.nn.batch_norm(SIDE)(icl.random.uniform { SIDE, SIDE }):sum() end)
expect_refused("cumsum", function() return icl.random.uniform { SIDE, SIDE, 2 }:cumsum(3):sum() end)
expect_refused("argsort", function() return icl.random.uniform { SIDE, SIDE, 2 }:argsort(3):sum() end)
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0, true)
