-- internal/check_metrics.lua: check_metrics(what, given): an error unless `given` is nil or a table of figures of one's
-- own, { name = function(logits, target) }, whose names are free.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"

local taken = { loss = true, top1 = true, top5 = true, count = true, lr = true }

return function(what, given)
  if given == nil then return end
  arguments.typed(what .. ": metrics", given, "table", "a table { name = function(logits, target) }")
  for name, f in pairs(given) do
    if type(name) ~= "string" then
      fail("%s: metrics: %s is no name; write { name = function(logits, target) ... end }", what,
        arguments.described(name))
    end
    if taken[name] then fail("%s: metrics: there is a %s already; choose another name", what, name) end
    arguments.typed(("%s: metrics: %s"):format(what, name), f, "function", "a function(logits, target)")
  end
end
