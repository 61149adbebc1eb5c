-- runs: the folders that runs leave, finished ones and those that are still being written.
--
--   for _, run in ipairs(icl.runs.list()) do print(run.name, run.state, run.best and run.best.value) end
--
-- Nothing in a folder is executed, and whatever is missing or damaged in one is said in its field `problems`.
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local figures = require "icl.runs.figures"
local home = require "icl.internal.home"
local metrics = require "icl.runs.metrics"
local open_file = require "icl.internal.open_file"
local read_options = require "icl.runs.options_file".read

local runs = { figures = figures }

local Run = {}
Run.__index = Run

-- ---- one run ----

local ends = { finished = true, stopped = true, failed = true }

local function state_of(self)
  if core.file_locked(self.path .. "/log.txt") then return "running" end
  local ending = self.metrics.ending
  return ending and ends[ending.state] and ending.state or "killed"
end

local RECENT = 10  -- reports whose speed is expected to last

-- Seconds that the rest of the epochs will take, nil where nothing tells.
local function time_left(self)
  local reports, last = self.reports, self.reports[#self.reports]
  if self.state ~= "running" or not (last and last.seconds and self.epochs) then return nil end
  local first = reports[math.max(#reports - RECENT, 1)]
  local passed, epochs = last.seconds - (first.seconds or 0), last.epoch - first.epoch
  if epochs <= 0 then passed, epochs = last.seconds, last.epoch end
  if epochs <= 0 then return nil end
  local left = passed / epochs * (self.epochs - last.epoch)
  local since = last.time and os.time() - last.time or 0
  left = math.max(left - math.max(since, 0), 0)
  return metrics.is_count(left) and left or nil
end

-- What follows from the reports.
local function conclude(self)
  local read = self.metrics
  self.reports, self.final = read.reports, read.final
  local last, ending = self.reports[#self.reports] or {}, read.ending or {}
  self.state = state_of(self)
  self.message = self.state ~= "running" and type(ending.message) == "string" and ending.message or nil
  self.epoch = ending.epoch or last.epoch or 0
  self.epochs = last.epochs or metrics.is_count(self.options.epochs) and self.options.epochs or nil
  self.seconds = ending.seconds or last.seconds
  self.time = ending.time or last.time
  self.figure = figures.judging(self.reports)
  self.best = self.figure and figures.best(self.reports, self.figure)
  self.last = self.figure and figures.last(self.reports, self.figure)
  self.left = time_left(self)
  self.problems = { self.options_problem }
  if read.unreadable > 0 then
    self.problems[#self.problems + 1] = ("%s: lines that are no reports: %d"):format(read.path, read.unreadable)
  end
end

-- run:update() -> has the run gone on since it was read? It is read again as far as that is new.
function Run:update()
  local state = self.state
  local grown = self.metrics:update()
  conclude(self)
  return grown or self.state ~= state
end

-- "wrn/001: finished, epoch 3/3, error, test 4.12 %, best 4.03 % at 2"
function Run:__tostring()
  local parts = { self.state, ("epoch %g"):format(self.epoch) .. (self.epochs and ("/%g"):format(self.epochs) or "") }
  if self.last then
    local figure = self.figure
    parts[3] = ("%s %s"):format(figures.title(figure):lower(), figures.text(figure, self.last.value))
    parts[4] = ("best %s at %g"):format(figures.text(figure, self.best.value), self.best.epoch)
  end
  return self.name .. ": " .. table.concat(parts, ", ")
end

-- run:text(name) -> the text of a file of the folder, such as env.txt; nil if it is not there.
function Run:text(name)
  local file = open_file(self.path .. "/" .. name)
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

-- The last two names of a path: the recipe and the number. Where it has not as many, or they are no names (".", ".."),
-- they are those of the path from the root.
local function name_of(path)
  local last = path:match "([^/]+/[^/]+)$"
  if last and not ("/" .. last .. "/"):find "/%.%.?/" then return last end
  path = core.real_path(path) or path
  return path:match "([^/]+/[^/]+)$" or path
end

-- runs.is_run(path) -> does a folder look like the output of a run?
function runs.is_run(path)
  for _, name in ipairs(core.list_folder(path) or {}) do
    if name == "metrics.jsonl" or name == "options.lua" then return true end
  end
  return false
end

-- icl.runs.read(folder) -> the run in it; nil and a message if there is none. Fields: path, name, recipe, preset,
-- result, options, arguments (as options.lua has them), reports (of epochs, as metrics.jsonl has them), final (the
-- report of a test at the end), state (running, finished, stopped, failed or killed), epoch, epochs, figure (the name
-- of the figure by which the run is judged, such as "test.top1"), best and last (of that: { figure =, value =, epoch =
-- }), seconds (of training), left (seconds that are expected), time (of the last line), message (why it ended),
-- problems (texts about what is missing or damaged). What is not known is nil.
function runs.read(folder)
  local path = arguments.path("icl.runs.read", folder):gsub("(.)/+$", "%1")
  if not runs.is_run(path) then
    local names, reason = core.list_folder(path)
    return nil, names and path .. ": it is not the folder of a run; such a folder has a metrics.jsonl" or reason
  end
  local values, problem = read_options(path .. "/options.lua")
  values = values or { arguments = {}, options = {} }
  local self = setmetatable({
    path = path, name = name_of(path), recipe = values.recipe, preset = values.preset, result = values.result,
    options = values.options, arguments = values.arguments, options_problem = problem,
    metrics = metrics.open(path .. "/metrics.jsonl"),
  }, Run)
  self:update()
  return self
end

-- ---- many ----

local DEPTH = 4  -- folders between the root and a run, at most

-- Adds the runs at and below a folder to `found`, in the order of their names.
local function search(path, depth, found)
  if runs.is_run(path) then
    found[#found + 1] = runs.read(path)
    return
  end
  for _, name in ipairs(depth > 0 and core.list_folder(path) or {}) do
    if name:sub(1, 1) ~= "." then search(path .. "/" .. name, depth - 1, found) end
  end
end

-- runs.root() -> the folder with the runs: runs, unless the variable ICL_RUNS names another; "none" there means that
-- nothing is written.
function runs.root()
  local named = os.getenv "ICL_RUNS"
  return named and named ~= "" and named ~= "none" and home(named) or "runs"
end

-- icl.runs.list([root]) -> list of the runs in a folder and in those below it; see icl.runs.read. It is empty where
-- there are none, also where the folder is not there. Without root it is the folder runs, or the one that the variable
-- ICL_RUNS names.
function runs.list(root)
  local path, found = arguments.path("icl.runs.list", root or runs.root()):gsub("(.)/+$", "%1"), {}
  search(path, DEPTH, found)
  return found
end

-- The runs that a word of a command line stands for.
local function matching(word)
  local found = runs.list(word)
  if #found == 0 and word:sub(1, 1) ~= "/" then found = runs.list(runs.root() .. "/" .. word) end
  return found
end

-- runs.find(words [, what = "run"]) -> the runs that words stand for, each once: folders of runs, or folders with such
-- in them; a name that is not there is looked for below the root. A word that stands for none is an error, which says
-- `what` was looked for.
function runs.find(words, what)
  arguments.typed("icl.runs.find", words, "table", "a list of folders or names")
  local found, seen = {}, {}
  for _, word in ipairs(words) do
    local matched = matching(word)
    if #matched == 0 then
      local names = {}
      for i, run in ipairs(runs.list()) do names[i] = run.name end
      fail("there is no %s %s%s; icl runs lists the runs that there are", what or "run", core.printable(word),
        arguments.suggestion(word, names))
    end
    for _, run in ipairs(matched) do
      if not seen[run.path] then found[#found + 1] = run end
      seen[run.path] = true
    end
  end
  return found
end

-- runs.newest(list) -> of these runs the one that wrote last; one that runs and has written nothing yet is the newest.
function runs.newest(list)
  local newest, latest
  for _, run in ipairs(list) do
    local time = run.time or (run.state == "running" and math.huge or 0)
    if not newest or time >= latest then newest, latest = run, time end
  end
  return newest
end

return require "icl.internal.strict".module(runs, "icl.runs")
