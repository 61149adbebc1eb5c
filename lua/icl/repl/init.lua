-- repl: the prompt. A line is an expression, statements with an expression at the end, or statements; values of
-- expressions are printed. One that is not complete goes on in the next. Whatever happens in a line, the prompt and
-- all that was made before it stay alive.
local core = require "icl.core"
local columns = require "icl.internal.columns"
local complete = require "icl.repl.complete"
local history = require "icl.repl.history"
local printing = require "icl.repl.print"
local variables = require "icl.repl.globals"

local SOURCE = "=stdin"
local INT = 2          -- the signal of Ctrl-C
local SHOWN = 200      -- completions in a list at most

local Prompt = {}
Prompt.__index = Prompt

local true_globals = _G  -- a line may give _G another value

-- What Tab does: the text to insert, and one to show.
local function completer(globals)
  return function(line)
    local insert, names = complete.line(line, globals)
    if not names then return insert end
    local shown = table.move(names, 1, math.min(#names, SHOWN), 1, {})
    if #names > SHOWN then shown[#shown + 1] = ("... %d more"):format(#names - SHOWN) end
    return insert, columns(shown)
  end
end

local function new(globals)
  local self = setmetatable({ globals = globals, saving = core.isatty(0) }, Prompt)
  self.editor = core.prompt.open(completer(globals), history.limit)
  if self.saving then
    for _, line in ipairs(history.load()) do self.editor:remember(line) end
  end
  return self
end

-- What was entered, of one or several lines, can be recalled, now and in later sessions.
function Prompt:remember(text)
  if not text:find "%S" or text == self.last then return end
  self.last = text
  self.editor:remember(text)
  if not self.saving then return end
  local saved, message = history.append(text)
  if not saved then
    io.stderr:write("lines will not be remembered: ", message, "\n")
    self.saving = false
  end
end

-- Asks for a line. `variable` is the global that may hold another prompt. -> the line; nil at the end of the input or
-- where a signal ended it, and that signal.
function Prompt:read(variable, default)
  local own = rawget(self.globals, variable)
  if own == nil then own = rawget(true_globals, variable) end
  local ok, text = pcall(tostring, own)
  local line, signal = self.editor:read(ok and own ~= nil and text or default)
  if not line then io.stdout:write "\n" end
  return line, signal
end

local function parse(text, globals)
  return load(text, SOURCE, "t", globals)
end

-- "x = 1; x" as a function that returns the value of the expression behind the last statement, which ends in a
-- character of the class `ends`; nil if `text` is not of this form. Both parts must be complete: in
-- "if a then b() c end" no expression follows a statement. cuts: where statements end in the lines that were looked
-- through before, a list, and behind which character they were; what is found is added.
local function compile_last_value(text, ends, globals, cuts)
  for last = cuts.seen + 1, #text - 1 do
    if text:find("^" .. ends, last) and parse(text:sub(1, last)) then cuts[#cuts + 1] = last end
  end
  cuts.seen = math.max(cuts.seen, #text - 1)
  for i = #cuts, 1, -1 do
    local statements, expression = text:sub(1, cuts[i]), text:sub(cuts[i] + 1)
    if text:find("^" .. ends, cuts[i]) and expression:find "%S" and parse("return " .. expression) then
      local chunk = parse(statements .. "return " .. expression, globals)
      if chunk then return chunk end
    end
  end
  return nil
end

-- The function that `text` means, over these globals; nil, the message, and whether more lines could make it right.
local function compile(text, globals, cuts)
  local chunk = parse("return " .. text, globals)
  if chunk then return chunk end
  local statements, message = parse(text, globals)
  -- Without a semicolon "x = f (y)" is one statement.
  chunk = compile_last_value(text, statements and ";" or "[;%s]", globals, cuts) or statements
  return chunk, message, not chunk and message:sub(-5) == "<eof>"
end

-- Reads lines until they are a program. -> the function, its text; nil, message (nil if there is nothing to do); the
-- signal where one ended the input; "end" at the end of the input.
function Prompt:read_chunk()
  local text, signal = self:read("_PROMPT", "icl> ")
  if not text then return nil, nil, signal or "end" end
  local cuts = { seen = 0 }
  while true do
    local chunk, message, unfinished = compile(text, self.globals, cuts)
    local line
    if unfinished then line, signal = self:read("_PROMPT2", "  >> ") end
    if not line then
      self:remember(text)
      if signal then return nil, nil, signal end
      return chunk, chunk and text or message
    end
    text = text .. "\n" .. line
  end
end

-- Prints a line's results and keeps the first one as `_`.
local function show(globals, ...)
  if ... ~= nil then rawset(globals, "_", (...)) end
  io.stdout:write(printing.results(table.pack(...)), "\n")
end

-- Runs a line and prints its results, for which tensors may have to be evaluated. -> the signal that ended it, if one
-- did.
function Prompt:run(chunk)
  local results = table.pack(self.editor:call(chunk))
  local ok, message, signal, failure = table.unpack(results, 1, 4)
  if ok and results.n > 1 then
    ok, message, signal, failure = self.editor:call(show, self.globals, table.unpack(results, 2, results.n))
  end
  io.stdout:flush()
  if not ok then io.stderr:write(printing.failure(tostring(message), failure), "\n") end
  return not ok and signal or nil
end

-- Says once that a local variable is gone after its line.
function Prompt:mention_locals(text)
  if self.mentioned or not text:find "^%s*local%s" then return end
  self.mentioned = true
  io.stdout:write("(a local variable ends with its line; without `local` it stays)\n")
end

-- Reads a line, runs it, prints. -> true to go on; false and the signal, if one, that ends the prompt.
function Prompt:serve()
  local chunk, text, signal = self:read_chunk()
  if chunk then
    signal = self:run(chunk)
    self:mention_locals(text)
  elseif text then
    io.stderr:write(text, "\n")
  end
  if signal == "end" then return false end
  if signal and signal ~= INT then return false, signal end
  return true
end

local function greeting()
  local settings = core.configured()
  return ("icl %s (%s) on %s. help() helps, Tab completes, Ctrl-D leaves."):format(core.version, _VERSION,
    settings.device or "cpu")
end

-- The true globals, for a prompt of their own.
local function own_globals()
  variables.watch(_G, SOURCE)
  return _G
end

-- repl([{ globals =, greeting =, is_over = }]) -> the signal that ended it, or nil. Asks for lines until the end of the
-- input, until is_over() is true behind a line, or until a signal other than that of Ctrl-C. globals: what the lines
-- see, the true globals unless given.
local function repl(given)
  given = given or {}
  local globals = given.globals or own_globals()
  -- help(x): what is known about x; help "word" searches; help() tells what there is.
  rawset(globals, "help", function(...) io.stdout:write(require "icl.help".text(...), "\n") end)
  io.stdout:write(given.greeting or greeting(), "\n")
  local prompt = new(globals)
  local going, signal
  repeat going, signal = prompt:serve() until not going or given.is_over and given.is_over()
  prompt.editor:close()
  return signal
end

return repl
