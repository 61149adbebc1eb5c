-- sinks: where the figures and lines of a run go. A sink is a table of functions, each of which may be missing:
--
--   cut(self, step, epoch) on resume, before open: what was written behind this step of this epoch goes away
--   open(self, run)        once; run.folder is the run's folder or nil, run.resumed_step nil in a new run
--   turn(self, run, loop)  after each pass of a loop
--   report(self, record)   the figures of a report: a table as a line of metrics.jsonl has it
--   line(self, text)       a line for people
--   close(self, record)    the end of the run: { state =, epoch =, step =, time =, seconds =, message = }
--
-- A sink raises no error where it cannot write: it says so once, run:warn(text), and the run goes on.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local tracked = require "icl.internal.tracked"

local sinks = {}

local told = { "cut", "open", "turn", "report", "line", "close" }

-- icl.sinks.check(what, sink): an error unless it is a table with some of these functions.
function sinks.check(what, sink)
  local hears = false
  arguments.typed(what, sink, "table", "a table of functions")
  for _, name in ipairs(told) do
    if sink[name] ~= nil then arguments.typed(("%s: %s"):format(what, name), sink[name], "function", "a function") end
    hears = hears or sink[name] ~= nil
  end
  if hears then return end
  fail("%s has none of the functions that a sink may have: %s", what, table.concat(told, ", "))
end

-- icl.sinks.from_options(options [, { quiet = false }]) -> the list of sinks that the options of icl.options.logging
-- mean, each with its default where it is missing; those that write files do nothing in a run without a folder.
function sinks.from_options(options, more)
  arguments.typed("icl.sinks.from_options", options, "table", "a table of options")
  local quiet = arguments.options("icl.sinks.from_options", more, { quiet = false }).quiet
  local log = sinks.text()
  local list = { log, sinks.progress { log_period = options.log_period, quiet = quiet, log = log }, sinks.jsonl() }
  if options.tensorboard ~= false then
    list[#list + 1] = sinks.tensorboard { log_period = options.log_period, histograms = options.histograms,
                                          options = tracked.plain(options) }
  end
  return list
end

return require "icl.internal.lazy"(sinks, "icl.sinks", { "jsonl", "progress", "tensorboard", "text" })
