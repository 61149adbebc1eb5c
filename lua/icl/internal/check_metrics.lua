-- internal/check_metrics.lua: check_metrics(what, given): an error unless `given` is nil or a table of figures of one's
-- own, functions (logits, target) or metrics of whole sets such as icl.metrics.f1 makes, whose names are free.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"

local taken = { loss = true, top1 = true, top5 = true, count = true, lr = true }

local function is_of_set(f)
  return type(f) == "table" and f.update and f.value and f.reset and f.clone and true or false
end

return function(what, given)
  if given == nil then return end
  arguments.typed(what .. ": metrics", given, "table", "a table { name = function(logits, target) }")
  for name, f in pairs(given) do
    if type(name) ~= "string" then
      fail("%s: metrics: %s is no name; write { name = function(logits, target) ... end }", what,
        arguments.described(name))
    end
    if taken[name] then fail("%s: metrics: there is a %s already; choose another name", what, name) end
    if not is_of_set(f) then
      arguments.typed(("%s: metrics: %s"):format(what, name), f, "function", "a function(logits, target)")
    end
  end
end
