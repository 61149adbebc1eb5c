-- run/folder.lua: the folder of a run: which one it is, who writes in it, and what says how the run came about.
--
--   options.lua  env.txt  log.txt  metrics.jsonl  events.out.tfevents...  checkpoints/  weights.safetensors
local core = require "icl.core"
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local home = require "icl.internal.home"
local options_file = require "icl.runs.options_file"
local runs = require "icl.runs"
local numbers = require "icl.internal.numbers"

local folder = {}

-- Makes the first free one of the folders 001, 002, ... of a program; -> its path.
local function next_free(program)
  local above = ("%s/%s%s"):format(runs.root(), program.name, program.preset and "-" .. program.preset or "")
  local there, reason = core.make_folder(above)
  if not there then fail("{output}: %s", reason) end
  local number = 1
  for _, name in ipairs(core.list_folder(above) or {}) do number = math.max(number, (tonumber(name, 10) or 0) + 1) end
  while true do
    local path = ("%s/%03d"):format(above, number)
    local made, message, exists = core.new_folder(path)
    if made then return path end
    if not exists then fail("{output}: %s", message) end
    number = number + 1
  end
end

-- Makes a folder that was named; an empty one that is there will do.
local function make(path)
  local made, message = core.make_folder(path)
  if not made then fail("{output}: %s", message) end
  local names, reason = core.list_folder(path)
  if not names then fail("{output}: %s", reason) end
  if #names > 0 then
    local text = "{output} %s is there and not empty"
    if not runs.is_run(path) then fail(text .. "; a run needs a new or an empty folder", path) end
    fail(text .. ", and no run is written over; {resume} %s goes on with it", path, path)
  end
  return path
end

-- folder.open(wanted, before, program) -> the path of the folder that a run writes into, or nil for none. wanted: a
-- path, "" for the next free one, "none" or nil; before: the checkpoint that it goes on from, or nil.
function folder.open(wanted, before, program)
  if wanted == "none" then return nil end
  wanted = wanted and home(wanted):gsub("(.)/+$", "%1")
  local own = before and before.folder
  if own and (wanted == nil or wanted == "" or wanted == own) then return own end
  if wanted == "" then return os.getenv "ICL_RUNS" ~= "none" and next_free(program) or nil end
  return wanted and make(wanted)
end

-- folder.lock(path) -> the lock that says that this process writes there, until it is closed; false and a message where
-- the system has no locks.
function folder.lock(path)
  local lock, message = core.file_lock(path .. "/log.txt")
  if lock then return lock end
  if not message:find "it is locked by" then return false, message end
  if message:find(("process %d$"):format(core.process())) then
    fail("{output}: another run of this program works in %s; each has a folder of its own", path)
  end
  fail("{output}: another process works in %s: %s", path, message)
end

-- ---- options.lua ----

local function constant(value)
  if type(value) == "string" then return ("%q"):format(value):gsub("\\\n", "\\n") end
  if type(value) == "number" then return numbers.exact(value) end
  if type(value) ~= "table" then return tostring(value) end
  local items = {}
  for i, item in ipairs(value) do items[i] = constant(item) end
  return "{ " .. table.concat(items, ", ") .. " }"
end

local function add_table(lines, name, values)
  lines[#lines + 1] = ("  %s = {"):format(name)
  for _, key in ipairs(arguments.names(values)) do
    lines[#lines + 1] = ("    %s = %s,"):format(key, constant(values[key]))
  end
  lines[#lines + 1] = "  },"
end

-- The text of options.lua.
local function options_text(program)
  local lines = { "-- How a run began. `icl options.lua` runs it again, into a folder of its own; what else is given",
                  "-- on that command line beats what stands here.", 'require "icl".rerun {' }
  for _, name in ipairs { "recipe", "preset", "result" } do
    if program[name] then lines[#lines + 1] = ("  %s = %s,"):format(name, constant(program[name])) end
  end
  lines[#lines + 1] = ("  arguments = %s,"):format(constant(program.arguments))
  if program.options then add_table(lines, "options", program.options) end
  lines[#lines + 1] = "}"
  return table.concat(lines, "\n") .. "\n"
end

-- ---- env.txt ----

local function first_line(path)
  local file = io.open(path)
  local line = file and file:read "l"
  if file then file:close() end
  return line
end

local function environment_text(program)
  local words = { program.recipe, table.unpack(program.arguments) }
  for i, word in ipairs(words) do
    if word:find "[^%w%-_./=,:+]" then words[i] = "'" .. word:gsub("'", "'\\''") .. "'" end
  end
  local lines = {
    ("icl %s, build %s"):format(core.version, core.build_id()),
    ("command: icl %s"):format(table.concat(words, " ")),
    ("folder: %s"):format(os.getenv "PWD" or "?"),
    ("host: %s"):format(first_line "/proc/sys/kernel/hostname" or "?"),
    ("system: %s"):format(first_line "/proc/version" or "?"),
    ("begun: %s"):format(os.date "%Y-%m-%d %H:%M:%S %z"),
    core.describe_device(),
  }
  for _, name in ipairs { "ICL_THREADS", "ICL_CHUNK", "ICL_PLAN", "ICL_CONV", "ICL_ISA", "ONEDNN_MAX_CPU_ISA" } do
    local value = os.getenv(name)
    if value then lines[#lines + 1] = ("%s=%s"):format(name, value) end
  end
  return table.concat(lines, "\n") .. "\n"
end

local function write(path, text)
  local written, message = core.file_write(path, text)
  if not written then fail("{output}: %s", message) end
end

-- folder.describe_again(path, program): writes the options anew where a run goes on with others; how it began stays.
function folder.describe_again(path, program)
  local file = path .. "/options.lua"
  local began = options_file.read(file)
  if not began or not program.options then return end
  local text = options_text { recipe = began.recipe, preset = began.preset, result = began.result,
                              arguments = began.arguments, options = program.options }
  if text ~= options_text(began) then write(file, text) end
end

-- Removes the folder of a run that could not begin, unless something else is in it.
local function discard(path)
  for _, name in ipairs { "log.txt", "env.txt" } do os.remove(path .. "/" .. name) end
  os.remove(path)
end

-- folder.describe(path, program): writes options.lua and env.txt into a new folder; options.lua last, for a run may go
-- on where it is. Where that fails no folder is left.
function folder.describe(path, program)
  local undo <close> = setmetatable({}, { __close = function(_, failure)
    if failure then discard(path) end
  end })
  write(path .. "/env.txt", environment_text(program))
  write(path .. "/options.lua", options_text(program))
end

return folder
