-- program/loops.lua: loops of programs end as the language says, in Lua 5.4.4 too, which is that of Debian 12.
--
-- That version compiles a generic `for` wrongly if there is a `break` in it and a function that uses locals of its body:
-- however the loop ends, what it should close is never closed, here the step of run:batches(). The instruction behind
-- the loop (TFORLOOP) closes from the register of the loop's variables on (CLOSE base + 4) instead of from that of its
-- state (CLOSE base), and is put right in what is loaded. Lua 5.4.5 has no such fault. The layout of compiled chunks and
-- of instructions is that of ldump.c and lopcodes.h of Lua 5.4.
local loops = {}

local HEADER = 4 + 1 + 1 + 6 + 3 + 8 + 8  -- signature, version, format, data, three sizes, an integer, a number
local CLOSE, TFORLOOP = 54, 77            -- opcodes
local CONTROL = 4                         -- registers of a loop's state, which its variables follow

local debug, string, load_plain = debug, string, load  -- a program may change its globals

-- The first upvalue of any chunk are the globals.
local function with_globals_of(f, text)
  local _, globals = debug.getupvalue(f, 1)
  local copy = assert(load_plain(text, nil, "b"))
  debug.setupvalue(copy, 1, globals)
  return copy
end

-- ---- reading ----

local Reader = {}
Reader.__index = Reader

function Reader:byte()
  self.at = self.at + 1
  return self.text:byte(self.at - 1)
end

-- Seven bits a byte, the highest first; the last byte has bit 7 set.
function Reader:size()
  local value, byte = 0, 0
  repeat
    byte = self:byte()
    value = value << 7 | byte & 0x7f
  until byte & 0x80 ~= 0
  return value
end

function Reader:skip(bytes)
  self.at = self.at + bytes
end

-- Its size, one more than its bytes, is 0 where there is none.
function Reader:string()
  self:skip(math.max(self:size() - 1, 0))
end

-- Calls f(self) as often as the number that comes next says.
function Reader:each(f)
  for _ = 1, self:size() do f(self) end
end

local bytes_of = { [0x03] = 8, [0x13] = 8 }  -- of an integer and a float

function Reader:constant()
  local kind = self:byte()
  if kind & 0x0f == 4 then self:string() else self:skip(bytes_of[kind] or 0) end
end

-- ---- putting right ----

-- Notes where the operand of a CLOSE behind a loop is wrong, and what it should be.
local function look_through(reader, count)
  local before = 0
  for at = reader.at, reader.at + 4 * (count - 1), 4 do
    local instruction = ("<I4"):unpack(reader.text, at)
    local base = before >> 7 & 0xff
    if before & 0x7f == TFORLOOP and instruction & 0x7f == CLOSE and instruction >> 7 & 0xff == base + CONTROL then
      reader.found[#reader.found + 1] = { at = at, instruction = instruction - (CONTROL << 7) }
    end
    before = instruction
  end
  reader:skip(4 * count)
end

local function read_function(reader)
  reader:string()  -- source
  reader:size()    -- first line
  reader:size()    -- last line
  reader:skip(3)   -- parameters, whether there are more, registers
  look_through(reader, reader:size())
  reader:each(reader.constant)
  reader:each(function() reader:skip(3) end)                                       -- upvalues
  reader:each(read_function)
  reader:skip(reader:size())                                                       -- lines
  reader:each(function() reader:size() reader:size() end)                          -- lines, absolute
  reader:each(function() reader:string() reader:size() reader:size() end)          -- locals
  reader:each(reader.string)                                                       -- names of upvalues
end

-- loops.mended(f) -> a function of Lua that has just been loaded, with loops that end; f itself where there is nothing
-- wrong with it.
function loops.mended(f)
  local text = string.dump(f)
  local reader = setmetatable({ text = text, at = HEADER + 2, found = {} }, Reader)  -- behind the number of upvalues
  read_function(reader)
  if #reader.found == 0 then return f end
  local parts, at = {}, 1
  for _, one in ipairs(reader.found) do
    parts[#parts + 1] = text:sub(at, one.at - 1) .. ("<I4"):pack(one.instruction)
    at = one.at + 4
  end
  return with_globals_of(f, table.concat(parts) .. text:sub(at))
end

local TEST = "for i in ... do local f = function() return i end if f() then break end end"

-- loops.faulty() -> does this Lua compile loops wrongly?
function loops.faulty()
  local f = load(TEST)
  return loops.mended(f) ~= f
end

local function mend_first(f, ...)
  if f then f = loops.mended(f) end
  return f, ...
end

-- The same for what a searcher found, if it is a file; the modules of icl have no such loops.
local function mend_file(f, ...)
  if type(f) == "function" and debug.getinfo(f, "S").source:sub(1, 1) == "@" then f = loops.mended(f) end
  return f, ...
end

-- loops.mend_all(): from now on what this program loads is mended, where that is needed: files, modules, texts.
function loops.mend_all()
  if not loops.faulty() then return end
  local load, loadfile = load, loadfile
  function _G.load(...) return mend_first(load(...)) end
  function _G.loadfile(...) return mend_first(loadfile(...)) end
  function _G.dofile(path)
    local f, message = _G.loadfile(path)
    if not f then error(message, 0) end
    return f()
  end
  for i, search in ipairs(package.searchers) do
    package.searchers[i] = function(name) return mend_file(search(name)) end
  end
end

return loops
