-- repl/globals.lua: the variables of what is typed at the prompt. A name that does not exist is an error there, and
-- elsewhere nil as ever; one that was once given a value may be asked for, be it nil.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"

-- Parts of the library in which names are looked for that could have been meant; "": icl itself.
local parts = { "", "nn", "models", "ops" }

-- The names in a part of the library, loaded or not.
local function names_of(part)
  local set = {}
  for name in next, part do set[name] = true end
  for _, name in ipairs(rawget(part, "names") or {}) do set[name] = true end
  return arguments.names(set)
end

local variables = {}

local true_globals = _G  -- a line may give _G another value

-- variables.names(globals) -> the names in such a table, in no order.
function variables.names(globals)
  local more = (getmetatable(globals) or {}).names
  local names = more and more() or {}
  for name in next, globals do
    if type(name) == "string" then names[#names + 1] = name end
  end
  return names
end

-- " (did you mean icl.zeros?)", or "". A global counts before a name of the library.
local function suggestion(name, globals)
  local icl, names = require "icl", {}
  for _, global in ipairs(variables.names(globals)) do names[#names + 1] = global end
  local hint = arguments.suggestion(name, names)
  for _, part in ipairs(parts) do
    if hint ~= "" then break end
    local list, prefix = names_of(part == "" and icl or icl[part]), part == "" and "icl." or "icl." .. part .. "."
    hint = arguments.suggestion(name, list):gsub("you mean ", "%0" .. prefix)
  end
  return hint
end

-- variables.watch(globals, source): from now on that is so for globals in functions of this source.
function variables.watch(globals, source)
  local known = { _ = true }
  for name in next, globals do known[name] = true end
  setmetatable(globals, {
    __index = function(_, name)
      if known[name] or debug.getinfo(2, "S").source ~= source then return nil end
      fail("there is no variable '%s'%s", tostring(name), suggestion(tostring(name), globals))
    end,
    __newindex = function(_, name, value)
      known[name] = true
      rawset(globals, name, value)
    end,
  })
end

-- variables.over(frames, changed [, keep]) -> the variables of a recipe (internal/frames.lua) as a table that stands
-- for the globals of what is typed; behind them are the true globals. changed(name, before, after) is called where a
-- variable of the recipe gets another value, keep(name, value) where another name does, which is in the table alone
-- otherwise.
function variables.over(frames, changed, keep)
  local known = {}
  return setmetatable({}, {
    __index = function(own, name)
      if frames:has(name) then return frames:get(name) end
      local value = rawget(true_globals, name)
      if value ~= nil or known[name] then return value end
      fail("there is no variable '%s'%s", tostring(name), suggestion(tostring(name), own))
    end,
    __newindex = function(own, name, value)
      if frames:has(name) then
        changed(name, frames:get(name), value)
        frames:set(name, value)
      else
        known[name] = true
        if keep then keep(name, value) else rawset(own, name, value) end
      end
    end,
    names = function()
      local names = frames:names()
      for name in next, true_globals do names[#names + 1] = name end
      return names
    end,
  })
end

return variables
