-- run/agreement.lua: whether the processes that train together run the same program, and have the same parameters.
local arguments = require "icl.internal.arguments"
local core = require "icl.core"
local fail = require "icl.internal.fail"
local json = require "icl.json"
local parameters_of = require "icl.internal.parameters_of"
local places = require "icl.internal.places"
local processes = require "icl.internal.processes"
local rules = require "icl.internal.rules"
local usage = require "icl.internal.usage"

-- What must be the same in all, as texts by name.
local function facts_of(run, values)
  local origin = usage.origin(values)
  local facts = { seed = tostring(places.current_seed()), ["the run"] = run.name, epochs = tostring(run.last_epoch),
                  ["the step it goes on from"] = tostring(run.step), build = core.build_id() }
  local shares = core.configured().shares  -- where none are given, each process has as many as threads
  facts.shares = shares and tostring(shares)
  for name, value in pairs(origin and origin.list:in_force(values) or {}) do
    if not origin.list.specs[name].neutral then facts["--" .. name:gsub("_", "-")] = rules.shown(value) end
  end
  return facts
end

-- The first name whose fact differs from that of another process, or nil.
local function difference(own, theirs)
  local names = {}
  for name in pairs(own) do names[name] = true end
  for name in pairs(theirs) do names[name] = true end
  for _, name in ipairs(arguments.names(names)) do
    if own[name] ~= theirs[name] then return name end
  end
end

local agreement = {}

-- agreement.check(run, values): an error in all processes unless they agree; values: the options of the run's command
-- line, or nil. When it returns all have come so far: what they read of files, the main process may change now.
function agreement.check(run, values)
  if not processes.are_several() then return end
  local all = processes.gather(json.encode(facts_of(run, values)))
  local main = json.decode(all[1])
  for rank = 1, #all - 1 do
    local other = json.decode(all[rank + 1])
    local name = difference(main, other)
    if name then
      fail("icl.run: %s differs between processes: it is %s in process 0 and %s in process %d; all must be started "
        .. "alike", name, main[name] or "not there", other[name] or "not there", rank)
    end
  end
end

-- agreement.check_parameters(run): an error in all processes where parameters that are kept are not the same in all, to
-- the bit, as they are where all make the same updates: not where a rate, an option or what is trained differs.
function agreement.check_parameters(run)
  if not processes.are_several() or processes.is_fast() then return end
  local parameters, states = parameters_of(run.kept), {}
  for i, parameter in ipairs(parameters) do states[i] = parameter.state end
  local ranks = processes.differing(states)
  for i, parameter in ipairs(parameters) do
    if ranks[i] then
      fail("icl.run: %s differs between process 0 and process %d behind epoch %d: they were updated in different "
        .. "ways: with another learning rate, another option of the optimizer, other frozen layers, or kernels of "
        .. "another processor, which ICL_ISA chooses", parameter.name, ranks[i], run.epoch)
    end
  end
end

return agreement
