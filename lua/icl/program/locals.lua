-- program/locals.lua: the local variables of a program's main chunk as they are where it ends, for the prompt after it.
local core = require "icl.core"

local locals = {}

local Snapshot = {}
Snapshot.__index = Snapshot

-- snapshot:has(name), :get(name), :set(name, value), :names(): as of the variables of internal/frames.lua.
function Snapshot:has(name)
  return self.values[name] ~= nil
end

function Snapshot:get(name)
  return self.values[name].value
end

function Snapshot:set(name, value)
  self.values[name].value = value
end

function Snapshot:names()
  local names = {}
  for name in pairs(self.values) do names[#names + 1] = name end
  return names
end

local chunk, values  -- the main chunk that runs, and what was found of it: { name = { value = } }

-- Reads the variables of the chunk, which is among the functions that run. Of those with one name the last one counts.
local function take()
  local level, info = 2, debug.getinfo(2, "f")
  while info and info.func ~= chunk do
    level = level + 1
    info = debug.getinfo(level, "f")
  end
  values = {}
  local i = 1
  while info do
    local name, value = debug.getlocal(level, i)
    if not name then break end
    if name:find "^[%a_]" and name ~= "icl_ending" then values[name] = { value = value } end
    i = i + 1
  end
end

-- What closes in front of all others of a chunk's variables is the last to be closed, in the last line.
locals.ending = setmetatable({}, { __close = function(_, failure)
  if failure == nil then take() end
end })

local FIRST = 'local icl_ending <close> = package.loaded["icl.program.locals"].ending '

-- locals.load(text, name) -> a program, as `load` gives it; name: "@" and its path, or "=" and what it is called. Lines
-- keep their numbers.
function locals.load(text, name)
  if text:sub(1, 1) == "\27" then return load(text, name) end
  text = text:gsub("^\xef\xbb\xbf", ""):gsub("^#[^\n]*", "")
  if not load(text, name) then return load(text, name) end
  return load(FIRST .. text, name)
end

-- locals.run(f, ...) -> what f(...) returns, a program of locals.load, whose variables are read where it ends, be it by
-- an error.
function locals.run(f, ...)
  chunk, values = f, nil
  core.on_error(take)
  return f(...)
end

-- locals.taken() -> the variables of the program that ran last; nil where there are none.
function locals.taken()
  core.on_error(nil)
  local found = values
  chunk, values = nil, nil
  return found and next(found) and setmetatable({ values = found }, Snapshot) or nil
end

return locals
