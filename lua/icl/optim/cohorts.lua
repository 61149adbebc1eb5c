-- optim/cohorts.lua: the parameters of a group by the updates that they had.
--
-- A parameter that a step leaves out, because it is frozen or has no gradient, keeps its moments, and bias corrections
-- must be those of as many updates. So where updates are counted, those of a group that had the same ones are a cohort,
-- { parameters =, count =, states = }, with a count and the group's states of its own. At first that is the whole
-- group, and its count is optimizer.count, which all groups share; so it stays where every step updates every
-- parameter. A step that updates some of a cohort splits it. What it leaves out gets copies, whose values hold as well
-- where the step fails or is undone.
local arguments = require "icl.internal.arguments"
local core = require "icl.core"

local cohorts = {}

local function copies_of(states)
  local copies = {}
  for name, state in pairs(states) do copies[name] = core.state_copy(state) end
  return copies
end

-- cohorts.new_count() -> a state, a number.
function cohorts.new_count()
  return core.state(core.full({}, 0, "f64"), { name = "step", dtype = "f64" })
end

-- cohorts.new(rule, number, parameters, count) -> a cohort of group `number`, with its states as they begin.
function cohorts.new(rule, number, parameters, count)
  local states = {}
  for name, value in pairs(rule.group_states or {}) do
    local of = ("%s.group%d"):format(name, number)
    states[name] = core.state(core.full({}, value, "f64"), { name = of, dtype = "f64" })
  end
  return { parameters = parameters, count = count, states = states }
end

-- ---- steps ----

-- The parameters of a cohort that have a gradient, and those that have none.
local function parted(cohort, gradients)
  local updated, rest = {}, {}
  for _, parameter in ipairs(cohort.parameters) do
    table.insert(gradients[parameter.state] and updated or rest, parameter)
  end
  return updated, rest
end

-- cohorts.separate(optimizer, gradients) -> the cohorts that a step with these gradients, by state, updates, as a set:
-- each as a whole, since what it leaves out is in others from now on.
function cohorts.separate(optimizer, gradients)
  local updates, shared = {}, nil
  for _, group in ipairs(optimizer.groups) do
    for i = 1, #group.cohorts do
      local cohort = group.cohorts[i]
      local updated, rest = parted(cohort, gradients)
      if #updated > 0 then
        updates[cohort] = true
        shared = shared or cohort.count == optimizer.count
      end
      if #updated > 0 and #rest > 0 then
        cohort.parameters = updated
        table.insert(group.cohorts, { parameters = rest, count = core.state_copy(cohort.count),
                                      states = copies_of(cohort.states) })
        optimizer.listed = nil
      end
    end
  end
  for _, group in ipairs(shared and optimizer.groups or {}) do
    local first = group.cohorts[1]
    if first.count == optimizer.count and not updates[first] and #first.parameters > 0 then
      first.count, optimizer.listed = core.state_copy(first.count), nil
    end
  end
  return updates
end

-- ---- saved ----

-- cohorts.own_names(rule) -> the names of what each cohort has of its own: its count, and states of the group.
function cohorts.own_names(rule)
  local names = arguments.names(rule.group_states or {})
  table.insert(names, 1, "step")
  return names
end

-- A text that is the same for those parameters which were of one cohort when a list of tensors was saved, by name; ""
-- for those whose count is the optimizer's.
local function history_of(rule, parameter, by_name)
  if not by_name["step." .. parameter.name] then return "" end
  local texts = {}
  for i, name in ipairs(cohorts.own_names(rule)) do
    local item = by_name[name .. "." .. parameter.name]
    texts[i] = item and (item.problem or item.tensor:bytes()) or "none"
  end
  return table.concat(texts, "/")
end

-- The cohorts of a group as they were when a list of tensors was saved.
local function saved_cohorts(optimizer, number, by_name)
  local group, rule, by_history = optimizer.groups[number], optimizer.rule, {}
  local first = group.cohorts[1]
  local list = { first.count == optimizer.count and { parameters = {}, count = first.count, states = first.states }
    or cohorts.new(rule, number, {}, optimizer.count) }
  by_history[""] = list[1]
  for _, parameter in ipairs(group.parameters) do
    local history = history_of(rule, parameter, by_name)
    if not by_history[history] then
      by_history[history] = cohorts.new(rule, number, {}, cohorts.new_count())
      list[#list + 1] = by_history[history]
    end
    table.insert(by_history[history].parameters, parameter)
  end
  if #list > 1 and #list[1].parameters == 0 then table.remove(list, 1) end
  return list
end

-- cohorts.arrange(optimizer, tensors) -> the cohorts that the groups had, a list, for cohorts.put_back; now they have
-- those of a list of { name =, tensor = }, into which its values can be loaded.
function cohorts.arrange(optimizer, tensors)
  local by_name, before, after = {}, {}, {}
  for _, item in ipairs(tensors) do by_name[item.name] = item end
  for number, group in ipairs(optimizer.groups) do
    before[number], after[number] = group.cohorts, saved_cohorts(optimizer, number, by_name)
  end
  cohorts.put_back(optimizer, after)
  return before
end

function cohorts.put_back(optimizer, lists)
  for number, group in ipairs(optimizer.groups) do group.cohorts = lists[number] end
  optimizer.listed = nil
end

return cohorts
