-- internal/usage.lua: values of options that turn out to be wrong after the command line was read, when the images or
-- the model are known. They are a wrong command line all the same: a message with the switch, and exit code 2.
local usage = {}

local origins = setmetatable({}, { __mode = "k" })
local program
local at_prompt = false

-- usage.remember(values, origin): these values of options came from a command line. origin = { program = its name for
-- messages, list = the list of options, given = what was typed, presets = names, notes = texts for the log }.
function usage.remember(values, origin)
  origins[values] = origin
end

-- usage.origin(values) -> what was remembered of these values; nil for a table that was written by hand.
function usage.origin(values)
  return origins[values]
end

-- usage.during(values, f, ...) -> what f(...) returns. What fail() says about options in it is about a command line if
-- the values came from one.
function usage.during(values, f, ...)
  local outer, origin = program, values and origins[values]
  program = origin and not at_prompt and origin.program or nil
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

-- usage.begin_prompt(): from now on there is no command line to be wrong; what fail() says is an error as any other.
function usage.begin_prompt()
  at_prompt = true
end

-- usage.stop(name, text): writes that the command line of a program is wrong, and leaves it.
function usage.stop(name, text)
  io.stderr:write(("%s: %s\n"):format(name, text))
  os.exit(2, true)
end

return usage
