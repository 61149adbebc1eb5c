-- near.lua: did two runs of train.lua learn alike? Rounding grows from step to step, so the first losses must agree
-- closely, later ones only in their means of fifty steps.
--
--   icl tests/cuda/near.lua A B [--half]     A and B: what the runs printed; --half: B had activations in 16 bits
local exact = arg[3] ~= "--half"
local FIRST, EARLY, BLOCK, ACCURACY = exact and 1e-5 or 2e-2, exact and 2e-3 or 5e-2, 0.05, 0.08
local LENGTH = 50

local function read(path)
  local run = { losses = {} }
  for line in io.lines(path) do
    local loss = line:match "^loss %d+ (%S+)$"
    if loss then run.losses[#run.losses + 1] = tonumber(loss) end
    run.accuracy = tonumber(line:match "^accuracy (%S+)") or run.accuracy
  end
  return run
end

local passed, failed = 0, 0
local function check(what, a, b, allowed)
  local good = math.abs(a - b) <= allowed
  passed, failed = passed + (good and 1 or 0), failed + (good and 0 or 1)
  print(("%s %s: %.6g and %.6g, allowed are %.2g"):format(good and "ok    " or "FAILED", what, a, b, allowed))
end

local function mean(list, first, last)
  local sum = 0
  for i = first, last do sum = sum + list[i] end
  return sum / (last - first + 1)
end

local a, b = read(arg[1]), read(arg[2])
check("number of losses", #a.losses, #b.losses, 0)
local count = math.min(#a.losses, #b.losses)
for i = 1, math.min(3, count) do
  check("loss " .. i, a.losses[i], b.losses[i], a.losses[i] * (i == 1 and FIRST or EARLY))
end
for first = 1, count - LENGTH + 1, LENGTH do
  local last = first + LENGTH - 1
  local expected = mean(a.losses, first, last)
  check(("losses %d to %d"):format(first, last), expected, mean(b.losses, first, last), BLOCK * expected)
end
check("accuracy", a.accuracy or -1, b.accuracy or -2, ACCURACY)
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
