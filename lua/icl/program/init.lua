-- program: what the command line of the executable icl means.
local core = require "icl.core"
local locals = require "icl.program.locals"
local loops = require "icl.program.loops"
local outcome = require "icl.internal.outcome"
local processes = require "icl.internal.processes"
local recipes = require "icl.internal.recipes"
local signals = require "icl.run.signals"
local usage = require "icl.internal.usage"

local help_text = [[
icl %s: trains image classifiers from short Lua recipes

  icl [options] FILE.lua [arguments]   run a recipe; `icl FILE.lua --help` lists its options
  icl [options] train NAME [arguments] run recipes/NAME.lua, which the program has inside; `icl recipes` lists them
  icl [options] COMMAND [arguments]    one of the commands below; `icl COMMAND --help` tells more
  icl [options] - [arguments]          run what comes from standard input; without `-` too, if that is no terminal
  icl                                  the prompt

options:
  -e CODE                     run CODE, in which `icl` is loaded already
  -i                          the prompt afterwards
  --                          what follows are no options
  -v, --version               the version, and what the processor has
  -h, --help                  this text

commands:
%s

options of the engine, which recipes take as well:
%s

exit codes: 0 ok, 1 the run failed, 2 the command line is wrong, 128 + N ended by signal N
]]

local COMMANDS = "icl.commands."
local ABSENT = 2  -- the number of the error that a file is not there

local function commands()
  local names = {}
  for module in pairs(core.modules()) do
    if module:sub(1, #COMMANDS) == COMMANDS then names[#names + 1] = module:sub(#COMMANDS + 1) end
  end
  table.sort(names)
  return names
end

local function engine_options()
  return require "icl.options".engine
end

local function help()
  local texts = require "icl.options.help"
  local names, options = texts.wrapped(table.concat(commands(), ", "), 2), texts.lines(engine_options())
  return help_text:format(core.version, table.concat(names, "\n"), table.concat(options, "\n"))
end

-- Where no device opens, its message says why. Those of plug-ins follow, usable or not.
local function version()
  local _, device = core.call(core.describe_device)
  local lines = { ("icl %s, %s"):format(core.version, _VERSION), device }
  for _, other in ipairs(core.devices()) do
    if other.name ~= "cpu" and other.name ~= "ref" then lines[#lines + 1] = other.text end
  end
  return table.concat(lines, "\n") .. "\n"
end

-- Leaves the program because of a wrong command line.
local function usage_error(format, ...)
  usage.leave(2, ("icl: %s; icl --help shows what there is"):format(format:format(...)))
end

local own = { "-e", "-i", "-v", "-h", "--", "--version", "--help" }

-- Takes the option of the engine at `words[i]`, with its value, into the list `taken`; -> how many words that were.
local function take_engine_option(words, i, taken)
  local name = words[i]:match "^%-%-([^=]+)"
  local options = engine_options()
  local spec = name and options.specs[name:gsub("-", "_")]
  if not spec then
    local known = table.move(own, 1, #own, 1, {})
    for _, other in ipairs(options:names()) do known[#known + 1] = "--" .. other:gsub("_", "-") end
    usage_error("there is no option %s%s", words[i], require "icl.internal.arguments".suggestion(words[i], known))
  end
  local count = (spec.type == "boolean" or words[i]:find("=", 1, true)) and 1 or 2
  table.move(words, i, i + count - 1, #taken + 1, taken)
  return count
end

-- What is asked for: { code =, interactive =, show = text, engine = its options, rest = index of the first word that is
-- none }.
local function parse(words)
  local request, i = { engine = { [0] = "icl" } }, 1
  while words[i] and words[i] ~= "-" and words[i]:sub(1, 1) == "-" do
    local word = words[i]
    i = i + 1
    if word == "--" then break end
    if word == "-e" then
      request.code = words[i] or usage_error "-e needs code"
      i = i + 1
    elseif word == "-i" then
      request.interactive = true
    elseif word == "-v" or word == "--version" then
      request.show = request.show or version()
    elseif word == "-h" or word == "--help" then
      request.show = help()
    else
      i = i - 1 + take_engine_option(words, i - 1, request.engine)
    end
  end
  request.rest = i
  return request
end

-- Sets the global `arg` as the stock interpreter does: arg[0] is the script, what follows it are its arguments.
local function set_arguments(words, script)
  arg = {}
  for i = 0, #words do arg[i - script] = words[i] end
end

-- Calls f and returns the exit code.
local function run(f, ...)
  local ok, result, signal, failure = core.call(f, ...)
  if ok then return math.type(result) == "integer" and result or 0 end
  local code = usage.code(failure)
  local own = processes.are_several() and ("process %d: "):format(processes.rank()) or ""
  if not signal then processes.abort(code and failure.text or tostring(result)) end
  if code then
    local out = code == 0 and io.stdout or io.stderr
    if failure.text ~= "" then out:write(failure.text, "\n") end
    return code
  end
  if signal and outcome.stopped then return 128 + signal end
  io.stderr:write("icl: ", own, require "icl.repl.print".failure(result, failure), "\n")
  return signal and 128 + signal or 1
end

-- What runs a program; where the prompt follows it leaves its variables.
local function runner(chunk, interactive)
  return interactive and function(...) return locals.run(chunk, ...) end or chunk
end

local function run_code(code, interactive)
  icl = require "icl"
  local chunk, message = (interactive and locals.load or load)(code, "=(command line)")
  if not chunk then return run(error, message, 0) end
  return run(runner(chunk, interactive), table.unpack(arg))
end

-- The prompt over a run, which is loaded when it is needed.
local function live(running)
  return require "icl.repl.live"(running)
end

-- The function that a file is.
local function load_recipe(path, interactive)
  if path == "-" then return loadfile() end
  if not interactive then return recipes.load(path) end
  local text = recipes.source(path)
  local file, reason
  if not text then
    file, reason = io.open(path, "rb")
    text = file and file:read "a"
    if file then file:close() end
  end
  if not text then return nil, ("cannot read %s: %s"):format(path, reason or "it is no file") end
  return locals.load(text, "@" .. path)
end

-- From now on `require` looks for files beside the script first.
local function search_beside(path)
  local folder = path:match "^(.*)/" or "."
  if folder:find "[;?]" then return end  -- which mean something else in package.path
  package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(folder, folder, package.path)
end

-- Tells of options of a command line that had no effect.
local function tell_unread()
  local values = usage.latest()
  local text = values and processes.is_main() and require "icl.options.unread".typed(values)
  if text then io.stderr:write("icl: warning: ", text, "\n") end
end

-- A recipe; globals are frozen while it runs, unless the prompt follows, where they can be looked at.
local function run_recipe(path, interactive)
  local chunk, message = load_recipe(path, interactive)
  if not chunk then return run(error, message, 0) end
  if path ~= "-" and not recipes.source(path) then search_beside(path) end
  local strict = require "icl.program.strict"
  if not interactive then strict.freeze() end
  if core.isatty(0) and core.isatty(1) then signals.prompt = live end
  local start = runner(chunk, interactive)
  local code = run(function(...) start(...) end, table.unpack(arg))
  signals.prompt = nil
  strict.thaw()
  if code == 0 and not interactive then tell_unread() end
  return code
end

local function run_word(word, interactive)
  if word ~= "-" then
    local names = commands()
    for _, name in ipairs(names) do
      if name == word then return run(require(COMMANDS .. name), arg) end
    end
    if recipes.source(word) then return run_recipe(word, interactive) end
    local file, _, reason = io.open(word)
    if file then
      file:close()
    elseif reason == ABSENT then
      names[#names + 1] = "train"
      usage_error("there is no file or command '%s'%s", word, require "icl.internal.arguments".suggestion(word, names))
    end
  end
  return run_recipe(word, interactive)
end

-- The globals of a prompt that sees the variables of a program as well.
local function globals_over(variables)
  if not variables then return nil end
  local true_globals = _G  -- a line may give _G another value
  local function keep(name, value) rawset(true_globals, name, value) end
  return require "icl.repl.globals".over(variables, function() end, keep)
end

local function prompt()
  icl = require "icl"
  local globals = globals_over(locals.taken())
  return run(function()
    local signal = require "icl.repl" { globals = globals }
    return signal and 128 + signal or 0
  end)
end

-- `train NAME` at place i stands for the path of a recipe.
local function take_recipe(words, i)
  if words[i] ~= "train" then return end
  local name = words[i + 1]
  if name == "--help" or name == "-h" then
    words[i] = "recipes"
    return
  end
  if not name or name:sub(1, 1) == "-" then usage_error "train needs the name of a recipe; `icl recipes` lists them" end
  local path = recipes.path(name:match "^recipes/(.*)%.lua$" or name)
  if not path then
    usage_error("there is no recipe '%s'%s; `icl recipes` lists them", name,
      require "icl.internal.arguments".suggestion(name, recipes.names()))
  end
  table.remove(words, i)
  words[i] = path
end

-- Does what the command line says; -> exit code.
local function obey(words)
  local request = parse(words)
  if request.show then
    io.stdout:write(request.show)
    return 0
  end
  if #request.engine > 0 then usage.lead(engine_options():parse(request.engine)) end
  if not request.code then take_recipe(words, request.rest) end
  local word, code = words[request.rest], 0
  set_arguments(words, request.code and request.rest - 1 or word and request.rest or 0)
  if request.code then arg[0] = "-e" end  -- code is no name
  if request.code then
    code = run_code(request.code, request.interactive)
  elseif word then
    code = run_word(word, request.interactive)
  elseif not request.interactive and not core.isatty(0) then
    code = run_recipe "-"
  else
    request.interactive = true
  end
  if request.interactive and code <= 128 then code = prompt() end
  if outcome.failure then io.stderr:write("icl: ", outcome.failure, "\n") end
  return code == 0 and outcome.failure and 1 or code
end

-- program(words) -> exit code. words[0] is the program, the others what follows it.
return function(words)
  loops.mend_all()
  return run(obey, words)
end
