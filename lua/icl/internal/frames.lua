-- internal/frames.lua: the variables that the functions of a recipe see at the place where they are: locals and
-- upvalues, to be read and written by name.

local Frames = {}
Frames.__index = Frames

-- Adds the variables that a function of the thread sees at `level`. Of those with one name the innermost counts.
local function add_level(self, thread, level, f)
  local inner, i = {}, 1
  while true do
    local name = debug.getlocal(thread, level, i)
    if not name then break end
    if name:find "^[%a_]" then inner[name] = { thread = thread, level = level, number = i } end
    i = i + 1
  end
  i = 1
  while true do
    local name = debug.getupvalue(f, i)
    if not name then break end
    if name ~= "_ENV" and not inner[name] then inner[name] = { f = f, number = i } end
    i = i + 1
  end
  for name, place in pairs(inner) do self.places[name] = self.places[name] or place end
end

-- Adds the functions of a thread, but for those of the library.
local function add_thread(self, thread)
  local level = 0
  while true do
    local info = debug.getinfo(thread, level, "Sf")
    if not info then return end
    if info.what ~= "C" and not info.source:find "^=icl/" then add_level(self, thread, level, info.func) end
    level = level + 1
  end
end

local MAIN = 1  -- the place of the main thread in Lua's registry

-- frames(thread) -> the variables of a suspended thread's functions, and behind these of the main thread's.
local function new(thread)
  local self, main = setmetatable({ places = {} }, Frames), debug.getregistry()[MAIN]
  add_thread(self, thread)
  if thread ~= main then add_thread(self, main) end
  return self
end

-- frames:has(name) -> is there a variable of this name?
function Frames:has(name)
  return self.places[name] ~= nil
end

-- frames:get(name) -> its value.
function Frames:get(name)
  local place = self.places[name]
  if place.f then return select(2, debug.getupvalue(place.f, place.number)) end
  return select(2, debug.getlocal(place.thread, place.level, place.number))
end

-- frames:set(name, value)
function Frames:set(name, value)
  local place = self.places[name]
  if place.f then
    debug.setupvalue(place.f, place.number, value)
  else
    debug.setlocal(place.thread, place.level, place.number, value)
  end
end

-- frames:names() -> the names, in no order.
function Frames:names()
  local names = {}
  for name in pairs(self.places) do names[#names + 1] = name end
  return names
end

return new
