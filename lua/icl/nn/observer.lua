-- nn/observer.lua: who is told of the modules that are called, while a summary is made.
local observer = { tell = nil }  -- tell(module, result) is called after every module's forward; nil: nobody is

-- observer.during(tell, f, ...) -> what f(...) returns; tell(module, result) hears of every module that f calls.
function observer.during(tell, f, ...)
  local previous = observer.tell
  observer.tell = tell
  local restore <close> = setmetatable({}, { __close = function() observer.tell = previous end })
  return f(...)
end

return observer
