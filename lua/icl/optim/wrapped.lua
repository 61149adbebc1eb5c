-- optim/wrapped.lua: what optimizers around another one, their field `base`, share.
local arguments = require "icl.internal.arguments"
local fail = require "icl.internal.fail"
local settings = require "icl.optim.settings"

local wrapped = {}

-- wrapped.new(what, base) -> the fields of a wrapper around the optimizer `base`, an error if that is none.
function wrapped.new(what, base)
  if type(base) ~= "table" or not (base.step and base.groups and base.named_states) then
    fail("%s: it wraps an optimizer, icl.optim.sgd(model) for instance, not %s", what, arguments.described(base))
  end
  return { name = what, base = base, groups = base.groups }
end

-- optimizer:add_group(group) -> as that of the optimizer inside.
function wrapped:add_group(group, ...)
  arguments.no_more(self.name .. ": add_group", "a group", ...)
  if not self.base.add_group then fail("%s: the optimizer inside has no add_group", self.name) end
  return self.base:add_group(group)
end

-- optimizer:settings() -> the options that were changed, of this one and of the one inside; optimizer:settings(changed)
-- changes them again.
function wrapped:settings(again)
  for name, value in pairs(again and again.options or {}) do self.options[name] = value end
  return { options = settings.changed(self.options), base = self.base:settings(again and again.base) }
end

-- optimizer:arrange_states(list of { name =, tensor = }) -> as that of the optimizer inside.
function wrapped:arrange_states(tensors)
  return self.base.arrange_states and self.base:arrange_states(tensors)
end

return wrapped
