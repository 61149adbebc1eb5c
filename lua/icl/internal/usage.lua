-- internal/usage.lua: the end of a program that its command line asks for, as an error. The program turns it into text
-- and exit code; at the prompt, or in a pcall, it is an error like others.
local usage = {}

local End = { __tostring = function(self) return self.text end, __name = "icl.usage" }

-- usage.leave(code, text): raises it. Code 0: the text was asked for; 2: it says what is wrong.
function usage.leave(code, text)
  error(setmetatable({ code = code, text = text:gsub("\n$", "") }, End), 0)
end

-- usage.code(value) -> the exit code if an error is one of these; nil for others.
function usage.code(value)
  return getmetatable(value) == End and value.code or nil
end

return usage
