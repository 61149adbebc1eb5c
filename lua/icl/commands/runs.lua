-- commands/runs.lua: `icl runs [ROOT]`: the runs in a folder, how far they are and what they reached.
local core = require "icl.core"
local duration = require "icl.internal.duration"
local grid = require "icl.internal.grid"
local icl = require "icl"
local json = require "icl.json"
local split = require "icl.options.words".split
local warnings = require "icl.runs.warnings"

local figures = icl.runs.figures

local options = icl.options "icl runs [ROOT]: the runs in a folder, the folder runs unless one is given"
  : flag("json", false, "print JSON")
  : example "icl runs"
  : example "icl runs runs/wrn-28-10 --json"

-- "4.12 % at 118": a figure and its epoch.
local function reached(entry)
  if not entry then return "" end
  return ("%s at %g"):format(figures.text(entry.figure, entry.value), entry.epoch)
end

local function row_of(run)
  return {
    run.name, run.state, run.epochs and ("%g/%g"):format(run.epoch, run.epochs) or ("%g"):format(run.epoch),
    run.figure and figures.title(run.figure) or "", reached(run.best),
    run.last and figures.text(run.last.figure, run.last.value) or "",
    run.seconds and duration(run.seconds) or "", run.left and duration(run.left) or "",
  }
end

local function text_of(list)
  local rows = { { "run", "state", "epoch", "figure", "best", "last", "time", "left" } }
  for i, run in ipairs(list) do rows[i + 1] = row_of(run) end
  return grid(rows)
end

local fields = { "path", "name", "recipe", "preset", "result", "options", "state", "epoch", "epochs", "figure", "best",
                 "last", "final", "seconds", "left", "time", "message", "problems" }

local function json_of(list)
  local entries = {}
  for i, run in ipairs(list) do
    entries[i] = {}
    for _, name in ipairs(fields) do entries[i][name] = run[name] end
  end
  return json.encode(entries) .. "\n"
end

-- What to do where there are no runs.
local function hint(root)
  return ("there are no runs in the folder %s; a recipe makes one: icl recipes/fashion_mnist.lua\n"):format(
    core.printable(root))
end

-- words: those of the command line behind `runs`. -> exit code
return function(words)
  words[0] = "icl runs"
  local others, own = split(options, words)
  local opt = options:parse(own)
  if #others > 1 then
    io.stderr:write("icl runs: one folder at a time; `icl compare` takes several\n")
    return 2
  end
  local root = others[1] or icl.runs.root()
  local is_name = others[1] and not core.list_folder(root)
  local list = is_name and icl.runs.find { root } or icl.runs.list(root)
  warnings(list)
  if opt.json then
    io.stdout:write(json_of(list))
  else
    io.stdout:write(#list > 0 and text_of(list) or hint(root))
  end
  return 0
end
