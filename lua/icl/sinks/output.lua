-- sinks/output.lua: a file that is written while a run goes on. A write that fails is told once, and the run goes on;
-- the next one opens the file anew.
local output = {}

local Output = {}
Output.__index = Output

local BUFFER = 1 << 16  -- a line fits, so that it is one write

-- output.file(path, mode) -> as io.open.
function output.file(path, mode)
  local file, reason = io.open(path, mode)
  if file then file:setvbuf("full", BUFFER) end
  return file, reason
end

-- output.new(run, path, open) -> an output. open() makes the file ready for more and returns it opened, or nil and the
-- reason; `path` is what a warning is about.
function output.new(run, path, open)
  return setmetatable({ run = run, path = path, open = open }, Output)
end

-- Closes the file after a failure; what was written of the last piece may stand in it.
local function give_up(self, reason)
  if self.file then self.file:close() end
  self.file = nil
  if self.told then return false end
  self.told = true  -- before the warning, which may come back here
  local begin = self.path .. ": "
  if reason:sub(1, #begin) == begin then reason = reason:sub(#begin + 1) end
  self.run:warn(("%s cannot be written: %s; the run goes on without it"):format(self.path, reason))
  return false
end

-- output:write(text) -> was it taken?
function Output:write(text)
  local reason
  if not self.file then
    self.file, reason = self.open()
    if not self.file then return give_up(self, reason) end
  end
  local ok
  ok, reason = self.file:write(text)
  return ok and true or give_up(self, reason)
end

-- output:flush() -> did everything reach the system?
function Output:flush()
  if not self.file then return false end
  local ok, reason = self.file:flush()
  return ok and true or give_up(self, reason)
end

function Output:close()
  if self.file and self:flush() then self.file:close() end
  self.file = nil
end

return output
