-- repl/history.lua: what was entered in earlier sessions, in $XDG_STATE_HOME/icl/history, by default
-- ~/.local/state/icl/history. An entry is appended when it is made, so sessions side by side lose nothing.
--
-- An entry is a line of the file. Where it has several lines itself, a vertical tab stands for their ends; entries with
-- other control characters are left out.
local core = require "icl.core"

local history = { limit = 1000 }  -- entries that a session begins with

local LONGEST = 1 << 14       -- bytes of an entry that is kept
local LOADED = 1 << 20        -- bytes at the end of the file that are looked at
local LINE_END = "\v"
local CONTROL = "[\0-\8\12-\31\127]"  -- all but tab, line end and vertical tab

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

-- The last lines of a file, and its size in bytes; none if there is no file that can be read.
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
    if not line:find(CONTROL) then lines[#lines + 1] = line end
  end
  return table.move(lines, math.max(#lines - history.limit, 0) + 1, #lines, 1, {}), size
end

-- history.load() -> list of entries, the oldest first. A file that has grown beyond what is looked at is cut to these.
function history.load()
  local path = history.path()
  if not path then return {} end
  local lines, size = last_lines(path)
  if size > LOADED then core.prompt.replace(path, table.concat(lines, "\n") .. "\n") end
  for i, line in ipairs(lines) do lines[i] = line:gsub(LINE_END, "\n") end
  return lines
end

-- history.append(text) -> true, or nil and what went wrong. Entries that are empty or very long are left out.
function history.append(text)
  local path = history.path()
  if not path or not text:find "%S" or #text > LONGEST or text:find(CONTROL) or text:find(LINE_END) then return true end
  return core.prompt.append(path, text:gsub("\n", LINE_END) .. "\n")
end

return history
