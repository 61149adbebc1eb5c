-- sinks/hparams.lua: what the HPARAMS page of TensorBoard reads: the options of a run, and how it ended. The figures it
-- shows beside them are the scalars. A record of the experiment is left out: TensorBoard makes it from all runs, while
-- one that is there holds for all of them.
local events = require "icl.sinks.events"
local protobuf = require "icl.internal.protobuf"
local rules = require "icl.internal.rules"

local hparams = {}

local SESSION_START, SESSION_END = 3, 4  -- fields of the plugin's data
local statuses = { finished = 1, failed = 2 }

local function value_of(x)
  if type(x) == "boolean" then return protobuf.integer(4, x and 1 or 0) end
  if type(x) == "number" then return protobuf.double(2, x) end
  return protobuf.text(3, rules.shown(x))
end

-- hparams.started(options, time) -> a value for a summary: a run with these options began.
function hparams.started(options, time)
  local names, members = {}, {}
  for name in pairs(options) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    members[i] = protobuf.bytes(1, protobuf.bytes(1, name) .. protobuf.bytes(2, value_of(options[name])))
  end
  local session = table.concat(members) .. protobuf.double(5, time)
  return events.plugin("_hparams_/session_start_info", "hparams", protobuf.bytes(SESSION_START, session))
end

-- hparams.ended(state, time) -> the same for its end; nil for a run that may go on, as TensorBoard keeps the first end
-- that it sees.
function hparams.ended(state, time)
  if not statuses[state] then return nil end
  local session = protobuf.integer(1, statuses[state]) .. protobuf.double(2, time)
  return events.plugin("_hparams_/session_end_info", "hparams", protobuf.bytes(SESSION_END, session))
end

return hparams
