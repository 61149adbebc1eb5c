-- repl/globals.lua: a name that does not exist is an error in what is typed at the prompt, and elsewhere nil as ever. A
-- name that was once given a value may be asked for, be it nil.
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

-- " (did you mean icl.zeros?)", or "". A global counts before a name of the library.
local function suggestion(name, globals)
  local icl, names = require "icl", {}
  for global in next, globals do
    if type(global) == "string" then names[#names + 1] = global end
  end
  local hint = arguments.suggestion(name, names)
  for _, part in ipairs(parts) do
    if hint ~= "" then break end
    local list, prefix = names_of(part == "" and icl or icl[part]), part == "" and "icl." or "icl." .. part .. "."
    hint = arguments.suggestion(name, list):gsub("you mean ", "%0" .. prefix)
  end
  return hint
end

-- watch(globals, source): from now on that is so in functions of this source.
return function(globals, source)
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
