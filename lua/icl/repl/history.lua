-- repl/history.lua: the lines of earlier sessions, in $XDG_STATE_HOME/icl/history, by default
-- ~/.local/state/icl/history. A line is appended when it is entered, so sessions side by side lose nothing.
local core = require "icl.core"

local history = { limit = 1000 }  -- lines that a session begins with

local LONGEST = 4096          -- bytes of a line that is kept
local LOADED = 1 << 20        -- bytes at the end of the file that are looked at

-- Folder from a variable of the environment; a relative path there means nothing.
local function absolute(path)
  return path and path:sub(1, 1) == "/" and path or nil
end

-- history.path() -> where the file is, or nil where the environment names no place.
function history.path()
  local state, home = absolute(os.getenv "XDG_STATE_HOME"), absolute(os.getenv "HOME")
  state = state or home and home .. "/.local/state"
  return state and state .. "/icl/history"
end

-- The last lines of a file, and its size in bytes; nothing if there is no file.
local function last_lines(path)
  local file = io.open(path, "rb")
  if not file then return {}, 0 end
  local size = file:seek "end" or 0
  file:seek("set", math.max(size - LOADED, 0))
  local text = file:read "a" or ""
  file:close()
  if size > LOADED then text = text:match "\n(.*)$" or "" end
  local lines = {}
  for line in text:gmatch "[^\n]+" do
    if not line:find "%c" then lines[#lines + 1] = line end
  end
  return table.move(lines, math.max(#lines - history.limit, 0) + 1, #lines, 1, {}), size
end

-- history.load() -> list of lines, the oldest first. A file that has grown beyond what is looked at is cut to these.
function history.load()
  local path = history.path()
  if not path then return {} end
  local lines, size = last_lines(path)
  if size > LOADED then core.prompt.replace(path, table.concat(lines, "\n") .. "\n") end
  return lines
end

-- history.append(line) -> true, or nil and what went wrong. Lines that are empty or very long are left out.
function history.append(line)
  local path = history.path()
  if not path or not line:find "%S" or #line > LONGEST or line:find "%c" then return true end
  return core.prompt.append(path, line .. "\n")
end

return history
