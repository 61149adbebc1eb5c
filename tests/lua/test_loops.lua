-- test_loops.lua: loops that close something end where they end, whatever the version of Lua.
local check = dofile((arg[0]:match "^(.*/)" or "./") .. "check.lua")
local core = require "icl.core"
local loops = require "icl.program.loops"

-- What a program says of its loops, which are over each(NAME, COUNT).
local BEGIN = [[
local said = {}
local function say(text) said[#said + 1] = text end
local function each(name, count)
  local guard = setmetatable({}, { __close = function() say("end " .. name) end })
  return function(_, i)
    i = (i or 0) + 1
    return i <= count and i or nil
  end, nil, nil, guard
end
]]

local function said(body)
  local f = assert(load(BEGIN .. body .. "\nreturn table.concat(said, ', ')", "=test"))
  return f()
end

check("a break out of a loop in which functions use its variables", function()
  check.equal(said [[for i in each("a", 3) do
    local f = function() return i end
    if f() == 2 then break end
  end
  say "behind" ]], "end a, behind")
  check.equal(said [[for i in each("a", 2) do
    local twice = 2 * i
    say(tostring((function() return twice end)()))
    if i == 9 then break end
  end
  say "behind" ]], "2, 4, end a, behind")
  check.equal(said [[for i in each("a", 2) do
    for k in each("b", 3) do
      local f = function() return i * k end
      if f() == 2 then break end
      say(tostring(f()))
    end
    say "between"
  end]], "1, end b, between, end b, between, end a")
end)

check("other ways out", function()
  check.equal(said [[for i in each("a", 3) do
    local f = function() return i end
    if f() == 2 then goto behind end
  end
  ::behind::
  say "behind" ]], "end a, behind")
  check.equal(said [[local function first()
    for i in each("a", 3) do
      local f = function() return i end
      if f() == 2 then return "first" end
      if f() == 9 then break end
    end
  end
  say(first())]], "end a, first")
  check.equal(said [[say(tostring(pcall(function()
    for i in each("a", 3) do
      local f = function() return i end
      if f() == 2 then error "out" end
      if f() == 9 then break end
    end
  end)))]], "end a, false")
end)

-- A chunk as Lua 5.4.4 compiles it, whatever this version is: the CLOSE (54) behind TFORLOOP (77) is four registers off.
local function broken(text)
  local dump = string.dump(load(text))
  for at = 1, #dump - 7 do
    local loop, close = ("<I4I4"):unpack(dump, at)
    if loop & 0x7f == 77 and close & 0x7f == 54 and loop >> 7 & 0xff == close >> 7 & 0xff then
      return dump, dump:sub(1, at + 3) .. ("<I4"):pack(close + (4 << 7)) .. dump:sub(at + 8)
    end
  end
end

check("a wrong chunk is mended", function()
  local right, wrong = broken "for i in ... do local f = function() return i end if f() then break end end"
  check.equal(right ~= wrong, true)
  check.equal(string.dump(loops.mended(load(wrong, nil, "b"))), right)
end)

local LOOP = "for i in each('a', 2) do local f = function() return i end if f() == 9 then break end end\n"

check("what is mended keeps all else", function()
  local f = load(BEGIN .. LOOP .. [[
    local upvalue = 7
    local text = ("long "):rep(100) .. "]] .. ("constant "):rep(40) .. [["
    local function inner(...)
      ]] .. LOOP .. [[
      return upvalue, 1, 1.5, -0x7fffffffffffffff, 1e300, true, false, nil, "short", #text, ...
    end
    return inner, global]], "=test", "t", { setmetatable = setmetatable, global = "mine" })
  local inner, global = f()
  check.equal(global, "mine")
  local values = table.pack(inner("more"))
  check.equal(values.n, 11)
  for i, value in pairs { 7, 1, 1.5, -0x7fffffffffffffff, 1e300, true, false, nil, "short", 860, "more" } do
    check.equal(values[i], value)
  end
  local _, message = pcall(load(LOOP:gsub("\n", "") .. "\nlocal name\nname.x = 1", "=test", "t",
    { each = function() return function() end end }))
  check.equal(message, "test:3: attempt to index a nil value (local 'name')")
  check.equal(select(2, load("for in", "=test")), "test:1: <name> expected near 'in'")
end)

check("files and modules", function()
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write(BEGIN, LOOP, "return table.concat(said)")
  file:close()
  check.equal(dofile(path), "end a")
  check.equal(loadfile(path)(), "end a")
  package.path = path
  check.equal(require "a module of this test", "end a")
  os.remove(path)
  check.raises(function() dofile(path) end, "cannot open")
end)

check("the modules of icl end their loops without help", function()
  local count, search = 0, package.searchers[2]
  for name in pairs(core.modules()) do
    local f = search(name)
    check.equal(type(f), "function")
    check.equal(loops.mended(f), f)
    count = count + 1
  end
  check.equal(count > 100, true)
end)

check.close()
