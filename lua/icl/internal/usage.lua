-- internal/usage.lua: the end of a program that its command line asks for, as an error. The program turns it into text
-- and exit code; at the prompt, or in a pcall, it is an error like others.
--
-- Values of options may turn out to be wrong after the command line was read, when the images or the model are known.
-- They are a wrong command line all the same: a message with the switch, and exit code 2.
local usage = {}

local End = { __tostring = function(self) return self.text end, __name = "icl.usage" }
local origins = setmetatable({}, { __mode = "k" })
local program, latest, leading

-- usage.leave(code, text): raises it. Code 0: the text was asked for; 2: it says what is wrong.
function usage.leave(code, text)
  error(setmetatable({ code = code, text = text:gsub("\n$", "") }, End), 0)
end

-- usage.wrong(name, text): the command line of the program of this name is wrong.
function usage.wrong(name, text)
  usage.leave(2, ("%s: %s"):format(name, text))
end

-- usage.code(value) -> the exit code if an error is one of these; nil for others.
function usage.code(value)
  return getmetatable(value) == End and value.code or nil
end

-- usage.remember(values, origin): these values of options came from a command line. origin = { program = its name for
-- messages, list = the list of options, given = what was typed, presets = names, result = the name of a published
-- figure or nil, notes = texts for the log }.
function usage.remember(values, origin)
  origins[values], latest = origin, values
end

-- usage.lead(values): these stood in front of the name of the program that runs now.
function usage.lead(values)
  leading = origins[values]
end

-- usage.leading() -> the list of options of which some stood there, and those, by name; nil if none did.
function usage.leading()
  if leading then return leading.list, leading.given end
end

-- usage.inherit(values, source): these values were made of those, and came from the same command line, if any.
function usage.inherit(values, source)
  origins[values] = origins[source]
end

-- usage.latest() -> the values of options that came from a command line last; nil if none did.
function usage.latest()
  return latest
end

-- usage.origin(values) -> what was remembered of these values; nil for a table that was written by hand.
function usage.origin(values)
  return values and origins[values]
end

-- usage.during(values, f, ...) -> what f(...) returns. What fail() says about options in it is about a command line if
-- the values came from one, or if they are made of such: during another call of this function.
function usage.during(values, f, ...)
  local outer, origin = program, values and origins[values]
  program = origin and origin.program or outer
  local restore <close> = setmetatable({}, { __close = function() program = outer end })
  return f(...)
end

-- usage.named(text, switches) -> a text in which {name} stands for the option of that name, and whether there are such:
-- "name", or with `switches` "--name".
function usage.named(text, switches)
  local named, count = text:gsub("{([%a_][%w_]*)}", function(name)
    return switches and "--" .. name:gsub("_", "-") or name
  end)
  return named, count > 0
end

-- usage.program() -> the name of the program whose command line is spoken of; nil if none is.
function usage.program()
  return program
end

return usage
