-- options/seeds.lua: a recipe with several seeds, one after another, each in a process of its own, since a recipe reads
-- its options once and then trains.
--
-- A seed that fails does not keep the others from running; a command line that is wrong does, and so does a signal that
-- asks to stop.
local core = require "icl.core"
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
end

-- The exit code for a seed that ended so; a crash in its process is no crash of this one.
local function code_of(seed, ended)
  if ended < SIGNALLED or stops[ended] then return ended end
  io.stderr:write(("Seed %d was ended by signal %d\n"):format(seed, ended - SIGNALLED))
  return 1
end

-- The runs; -> list of values, what they are, list of the seeds that failed, the exit code of the first of these.
local function run_all(words, origin, path)
  local values, what, failed, code = {}, nil, {}, 0
  for i, seed in ipairs(origin.seeds) do
    print(("%sSeed %d, %d of %d"):format(i > 1 and "\n" or "", seed, i, #origin.seeds))
    os.remove(path)
    local ended = core.spawn(command(words, origin, seed), outcome.variable .. "=" .. path)
    if ended == 0 then
      local value, name = outcome.read(path)
      values[#values + 1], what = value, name or what
    else
      failed[#failed + 1] = tostring(seed)
      if code == 0 or stops[ended] then code = code_of(seed, ended) end
    end
    if stops[ended] or ended == WRONG then break end
  end
  return values, what, failed, code
end

-- seeds(words, origin): runs the program whose options were read from `words` (usage.remember) with each of
-- origin.seeds, and leaves it.
local function seeds(words, origin)
  local wrong = problem(words, origin)
  if wrong then usage.wrong(origin.program, wrong) end
  local path = os.tmpname()
  local remove <close> = setmetatable({}, { __close = function() os.remove(path) end })
  local values, what, failed, code = run_all(words, origin, path)
  local text = #values > 0 and summary(what, values) or "no seed ended with a figure"
  if code == 0 then usage.leave(0, "\n" .. text) end
  if #values > 0 then print("\n" .. text) end
  if stops[code] then usage.leave(code, "") end  -- the program with the seed has said it
  usage.leave(code, ("%s: failed with seed %s"):format(origin.program, table.concat(failed, ", ")))
end

return seeds
