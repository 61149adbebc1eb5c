-- options/seeds.lua: a recipe with several seeds, one after another, each in a process of its own, since a recipe reads
-- its options once and then trains.
--
-- A seed that fails does not keep the others from running; a command line that is wrong does, and so does a signal that
-- asks to stop.
local core = require "icl.core"
local launcher = require "icl.internal.launcher"
local numbers = require "icl.internal.numbers"
local outcome = require "icl.internal.outcome"
local statistics = require "icl.runs.statistics"
local usage = require "icl.internal.usage"

local WRONG, SIGNALLED = 2, 128
local stops = { [SIGNALLED + 1] = true, [SIGNALLED + 2] = true, [SIGNALLED + 15] = true }  -- HUP, INT, TERM

-- Folders that `--output` may mean without being one.
local no_folder = { none = true, [""] = true }

-- The command line of a run with one seed. `words` is the global `arg`: the program has the lowest index, the recipe
-- index 0.
local function command(words, origin, seed)
  local list, first = {}, 0
  while words[first - 1] do first = first - 1 end
  for i = first, 0 do list[#list + 1] = words[i] end
  table.move(origin.words, 1, #origin.words, #list + 1, list)
  list[#list + 1] = "--seed=" .. seed
  local folder = origin.given.output
  if folder and not no_folder[folder] then list[#list + 1] = ("--output=%s/seed-%d"):format(folder, seed) end
  return list
end

local function summary(what, values)
  local texts, of = {}, statistics.summary(values)
  for i, value in ipairs(values) do texts[i] = numbers.format("%.2f", value) end
  local text = numbers.format("%s in %% of %d seed%s: %s; mean %.2f", what, #values, #values > 1 and "s" or "",
    table.concat(texts, " "), of.mean)
  if #values < 2 then return text end
  return text .. numbers.format(", standard deviation %.2f, 95 %% interval %.2f to %.2f", of.deviation, of.low, of.high)
end

-- What cannot go together with several seeds, or nil.
local function problem(words, origin)
  if origin.given.seed then return "--seed and --seeds exclude each other; --seeds says which" end
  if not words[-1] or words[0] == "-" then
    return "--seeds starts the program once for each seed, which takes a recipe in a file"
  end
  local together = launcher.find {}
  if together and together.size > 1 and together.kind == "mpi" then
    return "--seeds: MPI starts the processes of one program; launch it once for each seed, with --seed N"
  end
end

-- The exit code for a seed that ended so; a crash in its process is no crash of this one.
local function code_of(seed, ended)
  if ended < SIGNALLED then return ended end
  io.stderr:write(("Seed %d was ended by signal %d\n"):format(seed, ended - SIGNALLED))
  return 1
end

-- The runs; -> { values = list, what = what these are, failed = list of seeds, code = the exit code of the first of
-- these, or of stopped = the seed that was stopped, with which all end }.
local function run_all(words, origin, path)
  local result = { values = {}, failed = {}, code = 0 }
  for i, seed in ipairs(origin.seeds) do
    print(("%sSeed %d, %d of %d"):format(i > 1 and "\n" or "", seed, i, #origin.seeds))
    os.remove(path)
    local ended = core.spawn(command(words, origin, seed), outcome.variable .. "=" .. path)
    if ended == 0 then
      local value, name = outcome.read(path)
      result.values[#result.values + 1], result.what = value, name or result.what
    elseif stops[ended] then
      result.stopped, result.code = seed, ended
      break
    else
      result.failed[#result.failed + 1] = tostring(seed)
      if result.code == 0 then result.code = code_of(seed, ended) end
      if ended == WRONG then break end
    end
  end
  return result
end

-- "failed with seed 1, 3; stopped with seed 4"
local function troubles(result)
  local parts = {}
  if #result.failed > 0 then parts[1] = "failed with seed " .. table.concat(result.failed, ", ") end
  if result.stopped then parts[#parts + 1] = ("stopped with seed %d"):format(result.stopped) end
  return table.concat(parts, "; ")
end

-- seeds(words, origin): runs the program whose options were read from `words` (usage.remember) with each of
-- origin.seeds, and leaves it.
local function seeds(words, origin)
  local wrong = problem(words, origin)
  if wrong then usage.wrong(origin.program, wrong) end
  local path = os.tmpname()
  local remove <close> = setmetatable({}, { __close = function() os.remove(path) end })
  local result = run_all(words, origin, path)
  local has_figures = #result.values > 0
  local text = has_figures and summary(result.what, result.values) or "no seed ended with a figure"
  if result.code == 0 then usage.leave(0, "\n" .. text) end
  if has_figures then print("\n" .. text) end
  usage.leave(result.code, ("%s: %s"):format(origin.program, troubles(result)))
end

return seeds
