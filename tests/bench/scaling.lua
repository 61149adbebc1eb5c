-- scaling.lua: how the throughput of a training grows with the devices, by a model that is fed with what was measured:
-- step times of one device, and what sums over all devices cost.
--
--   icl tests/bench/scaling.lua                                 the table
--   icl tests/bench/scaling.lua --bandwidth 1.25 --latency 30   of another network between the devices
--   icl launch -n 4 tests/bench/scaling.lua --measure           what a sum costs among these processes
--
-- Each device keeps its batch. With t the time of a step on one device, of which the share o is the backward pass, P
-- parameters in K buckets, a bandwidth B of each device, and a latency of a message:
--
--   r(n) = 2 (n - 1) / n  4 P / (K B) + 2 (n - 1) latency          a bucket: its shards to all, their sums to all
--   T(n) = max(t + r(n), (1 - o) t + o t / K + K r(n))             the last bucket is ready with the step; or the line
--                                                                  is never idle from the first one on
--   efficiency = t / T(n)
local core = require "icl.core"
local icl = require "icl"
local opt = icl.options "A model of scaling"
  : value("bandwidth", 25.0, "GB/s that a device sends while it receives as much", { min = 1e-3 })
  : value("latency", 10.0, "microseconds of a message", { min = 0 })
  : value("backward", 2 / 3, "share of a step that is the backward pass", { min = 0, max = 1 })
  : value("bucket", 25.0, "MB of gradients that are summed at a time", { min = 1e-3 })
  : flag("measure", false, "time sums among the processes that this is one of, and fit bandwidth and latency")
  : include(icl.options.processes, icl.options.engine)
  : after(icl.distributed.attach)
  : parse(arg)

-- Step times of icl on an NVIDIA H100 in bf16, see README.md.
local networks = {
  { name = "preact ResNet-20", parameters = 272474, batch = 128, step = 1.60e-3 },
  { name = "Shake-Shake-26 2x64d", parameters = 11653978, batch = 64, step = 6.02e-3 },
  { name = "WRN-28-10", parameters = 36479194, batch = 128, step = 12.10e-3 },
}

-- Seconds of a step on n devices.
local function step_time(network, n)
  local t, bytes = network.step, 4 * network.parameters
  if n == 1 then return t end
  local buckets = math.ceil(bytes / (opt.bucket * 1e6))
  local bucket = 2 * (n - 1) / n * bytes / buckets / (opt.bandwidth * 1e9) + 2 * (n - 1) * opt.latency * 1e-6
  local backward = opt.backward * t
  return math.max(t + bucket, t - backward + backward / buckets + buckets * bucket)
end

local function print_table()
  print(("%g GB/s, %g us a message, buckets of %g MB; each device keeps its batch"):format(opt.bandwidth, opt.latency,
    opt.bucket))
  io.write("| devices |")
  for _, network in ipairs(networks) do io.write((" %s, batch %d |"):format(network.name, network.batch)) end
  print("\n| ---: |" .. (" ---: |"):rep(#networks))
  local n = 1
  while n <= 512 do
    io.write(("| %d |"):format(n))
    for _, network in ipairs(networks) do
      local seconds = step_time(network, n)
      io.write((" %.0f images/s, %.0f %% |"):format(n * network.batch / seconds, 100 * network.step / seconds))
    end
    print()
    n = 2 * n
  end
end

-- The median time of a sum of so many numbers over all processes.
local function time_of_sum(count)
  local state, times = icl.state(icl.zeros { count }), {}
  for turn = 1, 12 do
    icl.distributed.barrier()
    local began = core.clock()
    icl.step(function() state:write(state:read():all_reduce()) end)
    times[turn] = core.clock() - began
  end
  table.sort(times)
  return times[6]
end

local function measure()
  local n, few, many = icl.distributed.size(), 1024, 1 << 23
  if n == 1 then error("one process sums nothing; icl launch -n 4 starts four", 0) end
  local short, long = time_of_sum(few), time_of_sum(many)
  if not icl.distributed.is_main() then return end
  local bandwidth = 2 * (n - 1) / n * 4 * (many - few) / (long - short)
  print(("%d processes: %d floats in %.3f ms, %d in %.1f ms; --bandwidth %.3g --latency %.3g"):format(n, few,
    1e3 * short, many, 1e3 * long, bandwidth / 1e9, 1e6 * short / (2 * (n - 1))))
end

if opt.measure then measure() else print_table() end
