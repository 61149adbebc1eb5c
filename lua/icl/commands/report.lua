-- commands/report.lua: `icl report RUN... [--out FILE.html]`: runs as one page of HTML.
local core = require "icl.core"
local icl = require "icl"
local own_files = require "icl.runs.own_files"
local split = require "icl.options.words".split
local warnings = require "icl.runs.warnings"

local options = icl.options "icl report RUN...: runs as one page of HTML, with everything in it"
  : value("out", nil, "where to (default: report.html in the folder of the run; of several, in this folder)",
      { type = "path" })
  : check(own_files.check "out")
  : example "icl report runs/wrn-28-10/001"
  : example "icl report runs/wrn-28-10 runs/wrn-28-10-dropout --out dropout.html"

-- words: those of the command line behind `report`. -> exit code
return function(words)
  words[0] = "icl report"
  local others, own = split(options, words)
  local opt = options:parse(own)
  if #others == 0 then
    io.stderr:write "icl report: which runs? icl report RUN..., or a folder of runs; icl runs lists them\n"
    return 2
  end
  local list = icl.runs.find(others)
  warnings(list)
  local path = opt.out or (#list == 1 and list[1].path .. "/report.html" or "report.html")
  local written, message = core.file_write(path, require "icl.report"(list))
  if not written then
    io.stderr:write("icl report: ", core.printable(message), "\n")
    return 1
  end
  io.stdout:write(core.printable(path), "\n")
  return 0
end
